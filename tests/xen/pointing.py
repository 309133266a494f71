"""Points to name to a VNC server, and what went wrong with them."""

import random
import re
import time
from collections.abc import Iterable

from testbed import Guest
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import status

Pixel = tuple[int, int]

#: seconds; libinput (evdev-debounce.c) drops a press within 25 ms of a release, and nothing tells
#: when these are over
BOUNCE = 0.05

HARM = re.compile(
    r"WARNING:|\bOops\b|\bBUG\b|Bad swap|Bad page|Call Trace|general protection|segfault"
)


def corners(width: int, height: int) -> list[Pixel]:
    return [(x, y) for x in (0, width - 1) for y in (0, height - 1)]


def sample(width: int, height: int, count: int) -> list[Pixel]:
    """The corners and `count` more points, the same in each run."""
    chance = random.Random(width * height)
    points = [(chance.randrange(width), chance.randrange(height)) for _ in range(count)]
    return corners(width, height) + points


def every_pixel(width: int, height: int) -> list[Pixel]:
    """Every x on one line, every y in one column."""
    return [
        *((x, height // 3) for x in range(width)),
        *((width // 3, y) for y in range(height)),
    ]


def columns(width: int, height: int) -> list[Pixel]:
    """Every x on one line, some y in one column."""
    some = {0, height - 1, *range(0, height, 7)}
    return [
        *((x, height // 3) for x in range(width)),
        *((width // 3, y) for y in sorted(some)),
    ]


def misplaced(pointer: Pointer, points: Iterable[Pixel]) -> dict[Pixel, Pixel]:
    """Those points that the guest's pointer is not on, and where it is instead."""
    reached = ((point, pointer.move_and_read(*point)) for point in points)
    return {point: there for point, there in reached if there != point}


def clicks(pointer: Pointer, count: int) -> list[tuple[int, bool, Pixel]]:
    """The next `count` button events of the probe's window: button, whether down, pixel."""
    events = pointer.events(count, timeout=60)
    return [(e["button"], e["down"], (e["x"], e["y"])) for e in events if e["event"] == "button"]


def kernel_harm(guest: Guest) -> list[str]:
    """Lines of the guest's kernel log that no test may cause."""
    return [line for line in guest.run(["dmesg"]).stdout.splitlines() if HARM.search(line)]


def xenbus_states(guest: Guest) -> tuple[str, str]:
    """The states of vkbd's frontend and backend, as XenStore has them."""
    backend_path = guest.run(["xenstore-read", "device/vkbd/0/backend"]).stdout.strip()
    nodes = ["device/vkbd/0/state", f"{backend_path}/state"]
    frontend, backend = guest.run(["xenstore-read", *nodes]).stdout.split()
    return frontend, backend


def driver(guest: Guest) -> str:
    """Whose vkbd-0 is on the kernel's bus, "vkbd" with xen-kbdfront; empty without a driver."""
    link = guest.run(["readlink", "/sys/bus/xen/devices/vkbd-0/driver"], check=False).stdout
    return link.strip().rpartition("/")[2]


def until(guest: Guest, condition: str) -> None:
    """Until a command of the guest's shell succeeds; tried too often it would slow the rest."""
    guest.run(["timeout", "100", "sh", "-c", f"until {condition}; do sleep 0.5; done"])


def until_ended(guest: Guest) -> None:
    """Until the daemon of vkbd-0, which has its lock, has ended."""
    guest.run(["sh", "-c", "flock 9 true 9</run/xenabs/vkbd-0.lock"])


def until_closed(guest: Guest) -> None:
    """Until both of vkbd's ends are at Closed."""
    until(
        guest,
        "[ $(xenstore-read device/vkbd/0/state) = 6 ] && "
        "[ $(xenstore-read $(xenstore-read device/vkbd/0/backend)/state) = 6 ]",
    )


def jump_presses_lost(pointer: Pointer, vnc: Rfb, points: Iterable[Pixel]) -> dict[Pixel, object]:
    """Points at which a press without a motion before it did not land, nor its release."""
    lost: dict[Pixel, object] = {}
    for point in points:
        time.sleep(BOUNCE)
        vnc.click(*point)
        landed = clicks(pointer, 2)
        if landed != [(1, True, point), (1, False, point)]:
            lost[point] = landed
    return lost


def counters(guest: Guest) -> dict[str, int]:
    found: dict[str, int] = status(guest)["counters"]
    return found
