"""The demo: the kernel's driver and xenabs on the same points of the same guest, and a picture."""

from __future__ import annotations

import random
import re
import statistics
import sys
from dataclasses import dataclass
from math import hypot
from pathlib import Path

import click
from tabulate import tabulate

from testbed.bed import Bed
from testbed.cli import told
from testbed.domain import Wanted
from testbed.errors import BedError
from testbed.probe import Pointer
from testbed.progress import step
from testbed.rfb import Rfb
from testbed.service import Service

SIZE = (1280, 800)
POINTS = 100
SHOWN = (330, 270)
"""The pixel that is clicked for the picture."""

KERNELS, OURS = "xen-kbdfront", "xenabs"
RED, YELLOW = 0xFF6050, 0xFFD030

BOOTING = re.compile(r"Booting (paravirtualized )?kernel on .*")
"""Linux before and since 5.x; "Xen" alone is a PV kernel, a PVH one says "Xen PVH"."""


@dataclass(frozen=True)
class Row:
    """How far a driver's pointer was from the pixels that the VNC client named."""

    driver: str
    distances: list[float]

    def cells(self) -> tuple[str, int, int, float, float]:
        """Driver, points, wrong ones, worst and mean error in pixels."""
        wrong = sum(distance > 0 for distance in self.distances)
        mean = statistics.fmean(self.distances)
        return self.driver, len(self.distances), wrong, max(self.distances), mean


def points(width: int, height: int) -> list[tuple[int, int]]:
    """The corners, and points all over the screen; the same each time."""
    chance = random.Random(1)
    corners = [(x, y) for x in (0, width - 1) for y in (0, height - 1)]
    others = POINTS - len(corners)
    return corners + [(chance.randrange(width), chance.randrange(height)) for _ in range(others)]


def measure(driver: str, pointer: Pointer) -> Row:
    """Name each point to the VNC server, and see where the guest's X pointer goes."""
    distances = []
    with step(f"measuring {driver} on {POINTS} points"):
        for x, y in points(*SIZE):
            there = pointer.move_and_read(x, y)
            distances.append(hypot(there[0] - x, there[1] - y))
    return Row(driver, distances)


def click_in_guest(driver: str, colour: int, pointer: Pointer, vnc: Rfb) -> tuple[int, int]:
    """Click SHOWN in the VNC viewer; the pixel that a window of the guest got the press at."""
    pointer.label(f"{driver}: a click on {SHOWN[0]}, {SHOWN[1]} landed here", colour)
    pointer.move_and_read(*SHOWN)
    vnc.click(*SHOWN)
    pointer.fence()
    pressed = [event for event in pointer.events() if event["event"] == "button" and event["down"]]
    if len(pressed) != 1:
        raise BedError(f"A click with {driver} became {len(pressed)} presses.")
    return pressed[0]["x"], pressed[0]["y"]


def kernel_says(log: str) -> str:
    """The line of a kernel's log that tells whether its pv_ops are Xen's."""
    found = BOOTING.search(log)
    return found[0] if found else "nothing of what it is booting on"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def demo(file: Path) -> None:
    """Measure the kernel's driver and xenabs in one guest, and save a picture as FILE."""
    with Bed() as bed:
        guest = bed.start_guest(Wanted(kind="pv", size=SIZE, kernel_driver=True))
        logs = {"dom0": bed.dom0, "guest": guest}
        said = {name: kernel_says(there.run(["dmesg"]).stdout) for name, there in logs.items()}
        with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
            pointer.open_window()
            rows = [measure(KERNELS, pointer)]
            click_in_guest(KERNELS, RED, pointer, vnc)
            with step("starting xenabs in the same guest"):
                Service(guest)
                pointer.fence()
            rows.append(measure(OURS, pointer))
            landed = click_in_guest(OURS, YELLOW, pointer, vnc)
            vnc.framebuffer().save(file, format="PNG")
    click.echo("\nWhat the kernels say:")
    for name, line in said.items():
        click.echo(f"  {name:6} {line}")
    click.echo(f"\nA PV guest of {SIZE[0]} x {SIZE[1]}, the pixel named by the VNC client against")
    click.echo("the pixel that the guest's X pointer is on:\n")
    headers = ("driver", "points tried", "wrong", "worst error (px)", "mean (px)")
    click.echo(tabulate([row.cells() for row in rows], headers, floatfmt=".1f"))
    click.echo(f"\n{file}: what the VNC viewer sees after clicks on {SHOWN}.")
    if landed != SHOWN or any(rows[-1].distances):
        sys.exit("xenabs was not exact.")


if __name__ == "__main__":
    told(demo)
