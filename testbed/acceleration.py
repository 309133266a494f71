"""What acceleration does to motion, and a snippet to acceleration: a table, and a picture."""

from __future__ import annotations

import itertools
import sys
from contextlib import ExitStack
from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont
from tabulate import tabulate

from testbed.bed import Bed, Guest
from testbed.cli import told
from testbed.domain import Wanted
from testbed.mouse import PATTERNS, Mouse, Pixel, Step
from testbed.places import CHECKOUT
from testbed.progress import step
from testbed.xserver import DRIVERS, XServer

SNIPPET = CHECKOUT / "xorg.conf.d/90-xenabs.conf"
NAME = "Xen Virtual Pointer"
START = (400, 600)
"""A pixel of the screen with room for what acceleration makes of the way."""

FAST, SLOW = 12, 1
STROKES = [
    ((240, 0), FAST),
    ((0, -160), SLOW),
    ((-120, -100), FAST),
    ((-120, 100), SLOW),
    ((0, 160), FAST),
]
"""A house: its strokes, from the lower left corner and back there, and the counts of a step."""

Run = tuple[str, bool]
"""A driver, and whether there was the snippet."""

#: of the picture, in pixels; it is drawn SCALE times as large, for smooth lines
PANEL, MARGIN, HEAD, FOOT = 520, 80, 100, 122
SCALE = 3
#: what of the plane is shown: pixels from the start, to the right and up
LEFT, RIGHT, BOTTOM, TOP = -100, 500, -150, 450
TICKS = 100
GREY, BLUE, RED = "#c4c4c4", "#1f5fbf", "#d0342c"
INK, GRID, PAPER = "#202020", "#e8e8e8", "white"


def stroke(way: Step, speed: int) -> list[Step]:
    """A straight way in steps of about so many counts."""
    count = max(1, round(max(map(abs, way)) / speed))
    marks = [(round(way[0] * i / count), round(way[1] * i / count)) for i in range(count + 1)]
    return [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in itertools.pairwise(marks)]


def asked() -> list[Step]:
    """All steps of the house."""
    return [each for way, speed in STROKES for each in stroke(way, speed)]


def measure(guest: Guest, off: bool) -> tuple[dict[str, dict[Run, Step]], dict[Run, list[Pixel]]]:
    """By pattern how far pointers go, and their ways around the house; both of the same motion."""
    files = {SNIPPET.name: SNIPPET.read_text()} if off else {}
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for driver in DRIVERS:
            server = stack.enter_context(XServer(guest, driver=driver, snippets=files))
            runs[server.display] = driver, off
        with Mouse(guest, *runs) as mouse:
            mouse.plug(NAME)
            table = {
                name: {runs[at]: moved for at, moved in mouse.displacement(NAME, steps).items()}
                for name, steps in PATTERNS.items()
            }
            paths = mouse.path(NAME, asked(), START)
    return table, {runs[at]: path for at, path in paths.items()}


class Panel:
    """A part of the picture with axes, in which ways from a common start are drawn."""

    def __init__(self, draw: ImageDraw.ImageDraw, left: int, title: str) -> None:
        self._draw = draw
        self._left = left
        right, bottom = left + PANEL, HEAD + PANEL
        for tick in range(LEFT, RIGHT + 1, TICKS):
            x = self._place((tick, 0))[0]
            self._rule((x, HEAD * SCALE), (x, bottom * SCALE), tick)
            text(draw, (x / SCALE, bottom + 8), str(tick), 17, "ma")
        for tick in range(-(-BOTTOM // TICKS) * TICKS, TOP + 1, TICKS):
            y = self._place((0, -tick))[1]
            self._rule((left * SCALE, y), (right * SCALE, y), tick)
            text(draw, (left - 8, y / SCALE), str(tick), 17, "rm")
        frame = [value * SCALE for value in (left, HEAD, right, bottom)]
        draw.rectangle(frame, outline=INK, width=SCALE)
        text(draw, (left + PANEL / 2, HEAD - 12), title, 24, "ms")
        text(
            draw,
            (left + PANEL / 2, bottom + 32),
            "pixels to the right of the start, and above it",
            17,
            "ma",
        )

    def _rule(self, start: tuple[float, float], end: tuple[float, float], tick: int) -> None:
        self._draw.line([start, end], fill="#b0b0b0" if tick == 0 else GRID, width=SCALE)

    def _place(self, offset: tuple[float, float]) -> tuple[float, float]:
        """Where in the picture a distance from the start is, X's way: y grows downwards."""
        unit = PANEL / (RIGHT - LEFT) * SCALE
        return (
            self._left * SCALE + (offset[0] - LEFT) * unit,
            HEAD * SCALE + (TOP + offset[1]) * unit,
        )

    def way(self, path: list[Pixel], colour: str, width: float) -> None:
        """Draw the way through these pixels."""
        places = [self._place((x - path[0][0], y - path[0][1])) for x, y in path]
        self._draw.line(places, fill=colour, width=round(width * SCALE), joint="curve")

    def mark(self, offset: Step, colour: str, label: str, anchor: str) -> None:
        """Draw a dot, and what it is."""
        x, y = self._place(offset)
        radius = 6 * SCALE
        self._draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
        aside = -12 if anchor[0] == "r" else 12
        text(self._draw, (x / SCALE + aside, y / SCALE + 6), label, 17, anchor, colour)


def text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    size: int,
    anchor: str = "ls",
    colour: str = INK,
) -> None:
    """Write words of a height in pixels; the anchor is Pillow's."""
    x, y = place
    font = ImageFont.load_default(size * SCALE)
    draw.text((x * SCALE, y * SCALE), words, fill=colour, font=font, anchor=anchor)


def picture(paths: dict[Run, list[Pixel]]) -> Image.Image:
    """The way that was asked for and those that were taken, a panel for each driver."""
    width = MARGIN + len(DRIVERS) * (PANEL + MARGIN)
    height = HEAD + PANEL + FOOT
    large = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
    draw = ImageDraw.Draw(large)
    title = "One motion of a mouse around a house: two sides slowly, three fast"
    text(draw, (width / 2, 36), title, 26, "ms")
    way = [(0, 0), *itertools.accumulate(asked(), lambda a, b: (a[0] + b[0], a[1] + b[1]))]
    for number, driver in enumerate(DRIVERS):
        panel = Panel(draw, MARGIN + number * (PANEL + MARGIN), driver)
        accelerated, exact = paths[driver, False], paths[driver, True]
        end = (accelerated[-1][0] - accelerated[0][0], accelerated[-1][1] - accelerated[0][1])
        panel.way(way, GREY, 11)
        panel.way(accelerated, RED, 3)
        panel.way(exact, BLUE, 3)
        panel.mark((0, 0), BLUE, "start, end", "rt")
        panel.mark(end, RED, f"end, {end[0]:+d}, {-end[1]:+d}", "lt")
    entries = [
        (GREY, 11, "asked of the mouse"),
        (BLUE, 3, "the pointer, acceleration off"),
        (RED, 3, "the pointer, acceleration on"),
    ]
    x: float = MARGIN
    for colour, thickness, words in entries:
        y = height - 32
        ends = [(x * SCALE, y * SCALE), ((x + 50) * SCALE, y * SCALE)]
        draw.line(ends, fill=colour, width=thickness * SCALE)
        text(draw, (x + 62, y), words, 20, "lm")
        x += (width - 2 * MARGIN) / len(entries)
    return large.resize((width, height), Image.Resampling.LANCZOS)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def acceleration(file: Path) -> None:
    """Move a mouse in a guest, with and without the snippet, and save a picture as FILE."""
    with Bed() as bed:
        guest = bed.start_guest(Wanted(kind="pv", kernel_driver=True))
        with step("moving a mouse with acceleration on"):
            table, paths = measure(guest, off=False)
        with step("moving a mouse with acceleration off"):
            exact, exact_paths = measure(guest, off=True)
    paths |= exact_paths
    picture(paths).save(file, format="PNG", optimize=True)
    runs = [(driver, off) for driver in DRIVERS for off in (False, True)]
    headers = ["steps x counts", *(f"{driver}, {'off' if off else 'on'}" for driver, off in runs)]
    rows = [
        [name, *(f"{x}, {y}" for x, y in (moved[run] for run in runs))]
        for name, moved in ((name, table[name] | exact[name]) for name in PATTERNS)
    ]
    click.echo("\nPixels to the right and down, with acceleration on and off:\n")
    click.echo(tabulate(rows, headers))
    click.echo(f"\n{file}: the way asked of the mouse, and the ways that pointers took.")
    wrong = [run for run in runs if run[1] and paths[run][-1] != paths[run][0]]
    if wrong:
        sys.exit(f"With the snippet the pointer did not come back to its start: {wrong}.")


if __name__ == "__main__":
    told(acceleration)
