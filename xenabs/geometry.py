"""Coordinates to axis values: the arithmetic that the pump uses, for people and tests.

It stands once, in C (kbdif/pump.c); here it is named and proven.

**Raw coordinates need no screen size.** QEMU makes pixel p of a screen of W pixels the raw value
v = floor(p * 32767 / W), so p * 32767 / W - 1 < v <= p * 32767 / W. The axis has 65534 values,
twice 32767, and we write a = 2v + 4, or a = 2v + 5 to tell a repeated position apart:

    p * 65534 / W + 2  <  a  <=  p * 65534 / W + 5

A reader that scales by W / 65534 and rounds down (Xorg's evdev driver, weston) is on pixel p as
long as 5 < 65534 / W, that is for W <= 13106. Xorg's libinput driver scales by a further
65535 / 65536, which takes less than one axis value away: the 2 at the lower end cover it.

**Pixels need the size**: a = floor((2p + 1) * 65534 / (2W)) is the middle of pixel p, at least
65534 / (2W) - 1 from either end. The low bit and the factor above take one axis value each: there
is room for every W <= 10922.
"""

from pathlib import Path

from xenabs.kbdif._pump import lib

AXIS_MAX: int = lib.AXIS_MAX
"""Both axes of the tablet run from 0 to this."""

RAW_MAX = 0x7FFF
"""The largest raw coordinate (QEMU's INPUT_EVENT_ABS_MAX)."""

DEFAULT_SCREEN = (800, 600)
"""Pixels of a screen that nobody told the size of (xen-kbdfront's and xen-fbfront's default)."""


def axis_from_raw(raw: int) -> int:
    """The axis value of a raw coordinate; what lies outside the screen is at its edge.

    >>> axis_from_raw(0), axis_from_raw(16383), axis_from_raw(40000)
    (4, 32770, 65532)
    """
    return int(lib.axis_from_raw(raw))


def axis_from_pixel(pixel: int, size: int) -> int:
    """The axis value of the middle of a pixel, for a screen of `size` pixels (1 or more).

    >>> axis_from_pixel(0, 800), axis_from_pixel(799, 800)
    (40, 65493)
    """
    return int(lib.axis_from_pixel(pixel, size))


def pixel_from_axis(axis: int, size: int) -> int:
    """The pixel, of `size`, that a reader of the tablet takes an axis value for.

    >>> pixel_from_axis(65493, 800)
    799
    """
    return int(lib.pixel_from_axis(axis, size))


def framebuffer_size(graphics: Path = Path("/sys/class/graphics")) -> tuple[int, int] | None:
    """Width and height in pixels of Xen's own framebuffer, None if the guest has none."""
    for name in sorted(graphics.glob("fb*/name")):
        if name.read_text().strip() == "xen":
            width, height = name.with_name("virtual_size").read_text().split(",")
            return int(width), int(height)
    return None
