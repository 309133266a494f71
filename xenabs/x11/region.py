"""A part of an X screen."""

import re
from dataclasses import dataclass

_GEOMETRY = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})\+(\d{1,5})\+(\d{1,5})")


@dataclass(frozen=True)
class Region:
    """A rectangle of the screen in pixels; x and y are of its upper left corner, 0 or more."""

    width: int
    height: int
    x: int = 0
    y: int = 0

    def __str__(self) -> str:
        """As X writes it: WxH+X+Y."""
        return f"{self.width}x{self.height}+{self.x}+{self.y}"

    def within(self, screen: tuple[int, int]) -> bool:
        """Whether all of it lies on a screen of that width and height."""
        return self.x + self.width <= screen[0] and self.y + self.height <= screen[1]


def parse(text: str) -> Region | None:
    """The region that WxH+X+Y names, None for another text.

    >>> parse("1280x800+1024+0"), parse("DUMMY1")
    (Region(width=1280, height=800, x=1024, y=0), None)
    """
    found = _GEOMETRY.fullmatch(text)
    return Region(*map(int, found.groups())) if found else None
