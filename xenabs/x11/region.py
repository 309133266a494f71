"""A part of an X screen, and the matrix that lays the tablet's whole range over it.

**What the server does** (dix/devices.c DeviceSetTransform, dix/getevents.c fill_pointer_events). Of
a device whose axis has N values it makes the screen's place s, for a screen of S pixels and the
matrix's entries c (scale) and t (shift), all in doubles but for c and t, which are floats:

    s = (c * a / N + t) * S

With c = w / S and t = x / S that is x + a * w / N: what an unmapped tablet has on a screen of w
pixels, moved by x. xenabs/geometry.py has proven that this is pixel p of w as long as a is

    p * 65534 / w + 2  <  a  <=  p * 65534 / w + 5

**Rounding.** libinput's factor takes less than one axis value away, which leaves one at the lower
end, and at least one at the upper one for w <= 10922 (coordinates that come as pixels are at least
that far from both ends for w <= 8191). An axis value is w / 65534 pixels. The floats are off by at
most 2 ** -24 of themselves: (w + x) * 2 ** -24 pixels, which is less for x <= 255 * w. The server
clips to N - 1, which is still in the screen's last pixel for S <= N.

So a matrix is exact wherever both axes come with each motion, and xenabs always sends both
(`told_apart` in kbdif/pump.c). When only one comes, the server goes back through the matrix for the
other one, from where a program may have put the pointer, and loses up to a pixel; without a matrix
it keeps the other axis as it is.
"""

import re
import struct
from dataclasses import dataclass

Matrix = tuple[float, ...]
"""Nine floats in rows, each one that 32 bits hold, as the server has them."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

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

    def matrix(self, screen: tuple[int, int]) -> Matrix:
        """What maps an absolute device to it, on a screen of that width and height.

        >>> Region(640, 480, 640, 0).matrix((1280, 960))
        (0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0)
        """
        width, height = screen
        row_x = (self.width / width, 0.0, self.x / width)
        row_y = (0.0, self.height / height, self.y / height)
        nine = struct.pack("9f", *row_x, *row_y, 0.0, 0.0, 1.0)
        return struct.unpack("9f", nine)


def parse(text: str) -> Region | None:
    """The region that WxH+X+Y names, None for another text.

    >>> parse("1280x800+1024+0"), parse("DUMMY1")
    (Region(width=1280, height=800, x=1024, y=0), None)
    """
    found = _GEOMETRY.fullmatch(text)
    return Region(*map(int, found.groups())) if found else None
