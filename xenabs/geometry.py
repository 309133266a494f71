"""Coordinates to axis values: the arithmetic that the pump uses, for people and tests.

It stands once, in C (kbdif/pump.c); here it is named and proven.

**The axis** has R = 65534 values. A reader that scales an axis value a to a screen of W pixels and
rounds down, as Xorg's evdev driver, weston and wlroots do, is on pixel p if

    p * R / W  <=  a  <  (p + 1) * R / W                                                        (1)

Xorg's libinput driver scales by a further 65535 / 65536, which takes less than one axis value away.
The kernel drops a value that an axis already has; the pump then writes a with its lowest bit
inverted. So a value is good if a - 2 and a + 1 are within (1).

**A pixel's value** is a = floor((2p + 1) * R / (2W)), the middle of its share, at least
R / (2W) - 1 from either end: good for every W <= 10922.

**Raw coordinates** are v = floor(p * 32767 / S) for a pixel p, where S is the size that the backend
scales by. Hence p - S / 32767 < v * S / 32767 <= p, and for every S <= 32767

    p = ceil(v * S / 32767)

gives the pixel back, exactly, whatever the screen's own size W is. If S is not W, the pump writes
the value of that pixel; a pixel beyond the screen is at its edge.

**If S is W, no size is needed**: p * 32767 / W - 1 < v <= p * 32767 / W, so for a = 2v + 4

    p * R / W + 2  <  a  <=  p * R / W + 4

which is good as long as 5 < R / W, that is for W <= 13106 (a is even, its other value is a + 1). It
is what the pump writes then, and when it does not know the screen: a new mode of which S is also
the width changes nothing.

**What S is.** QEMU's displays scale by the size of the surface they show (ui/input.c,
qemu_input_scale_axis); which size that is, they decide one by one, and nothing tells the guest:

- the VNC server (ui/vnc.c, pointer_event) takes its own copy of the surface, whose width is rounded
  up to a multiple of 16 (VNC_DIRTY_PIXELS_PER_BIT); the copy is at most 2560 x 2048 (VNC_MAX_WIDTH,
  VNC_MAX_HEIGHT), since 2024 5120 x 2160. A viewer is told that width when it connects, and since
  6.0 the one before the rounding when that changes; what it names is scaled in the same way;
- GTK, SDL, SPICE and D-Bus take the surface's own size;
- the surface of an HVM guest's VGA card is as wide as the mode, rounded down to a multiple of 8
  (hw/display/vga.c, vbe_fixup_regs), that of a framebuffer "xen" is as wide as the framebuffer.

`scales` lists them for a screen, and the values tell which it is: v must be floor(p * 32767 / S)
for some p, in both directions. The likeliest is VNC's; while positions fit the one that is in use,
that stays in use, else the first that they do fit follows. A position that fits none of them tells
that the screen has changed: the pump has its owner look at it before the position is translated.

**What remains.** A position that was scaled by another size than the one in use fits that all the
same with a chance of about S / 32767 in each direction (1376 x 768: 1 in 24 by the width alone, 1
in 1000 by both), and is then off by what lies between the two sizes. That can only be

- the first positions of a connection with a display that is not VNC, on a screen whose width is no
  multiple of 16: up to 15 pixels, until one does not fit, and never again;
- a position within half a second of the one before, after the screen has changed between the two:
  after a rest, the pump has its owner look at the screen in any case;
- of a screen larger than the VNC server's copy, the first positions of a connection as well: sizes
  with a large common divisor have many positions in common (2560 and 3840 every second; of 3840 x
  2160, the heights tell).

A raw coordinate that fits nothing, as from a program that speaks to QEMU's monitor, is one of the
whole screen: 2v + 4.
"""

from typing import NamedTuple

from xenabs.kbdif._pump import lib

AXIS_MAX: int = lib.AXIS_MAX
"""Both axes of the tablet run from 0 to this."""

RAW_MAX: int = lib.RAW_MAX
"""The largest raw coordinate (QEMU's INPUT_EVENT_ABS_MAX)."""

DEFAULT_SCREEN = (800, 600)
"""Pixels of a screen that nobody told the size of (xen-kbdfront's and xen-fbfront's default)."""

VNC_STEP = 16
"""The widths of the VNC server's copy are multiples of this (QEMU, ui/vnc.h)."""

VNC_LIMITS = (5120, 2160), (2560, 2048)
"""The largest size of the VNC server's copy (ui/vnc.h): since 2024, and before."""

VGA_STEPS = 8, 2
"""A VGA card's width is cut to a multiple of this (hw/display/vga.c): by QEMU, and as patched."""


class Screen(NamedTuple):
    """The guest's screen, and by which sizes a backend may scale raw coordinates of it."""

    width: int
    height: int
    scales: tuple[tuple[int, int], ...] = ()
    """Likeliest first; none if the screen's size is not known."""


def axis_from_raw(raw: int) -> int:
    """Return the axis value of a raw coordinate; what lies outside the screen is at its edge.

    >>> axis_from_raw(0), axis_from_raw(16383), axis_from_raw(40000)
    (4, 32770, 65532)
    """
    return int(lib.axis_from_raw(raw))


def axis_from_scaled(raw: int, scale: int, size: int) -> int:
    """Return the axis value of a raw coordinate that was scaled by `scale`, on a screen of `size`.

    Both are in pixels, 1 or more. What lies outside the screen is at its edge.

    >>> axis_from_scaled(1365 * 32767 // 1376, 1376, 1366) == axis_from_pixel(1365, 1366)
    True
    """
    return int(lib.axis_from_scaled(raw, scale, size))


def raw_fits(raw: int, scale: int) -> bool:
    """Return whether a backend that scales by `scale` pixels (1 or more) can say `raw`.

    What lies outside 0..RAW_MAX tells nothing, and fits.

    >>> raw_fits(100 * 32767 // 1376, 1376), raw_fits(100 * 32767 // 1376, 1366)
    (True, False)
    """
    return bool(lib.raw_fits(raw, scale))


def axis_from_pixel(pixel: int, size: int) -> int:
    """Return the axis value of the middle of a pixel, for a screen of `size` pixels (1 or more).

    >>> axis_from_pixel(0, 800), axis_from_pixel(799, 800)
    (40, 65493)
    """
    return int(lib.axis_from_pixel(pixel, size))


def pixel_from_axis(axis: int, size: int) -> int:
    """Return the pixel, of `size`, that a reader of the tablet takes an axis value for.

    >>> pixel_from_axis(65493, 800)
    799
    """
    return int(lib.pixel_from_axis(axis, size))


def scales(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Return the sizes by which QEMU's displays may scale raw coordinates, likeliest first.

    All are in pixels; `width` and `height` are the screen's, 1 or more. See "What S is" above.

    >>> scales(1280, 800), scales(1400, 1050)
    (((1280, 800),), ((1408, 1050), (1400, 1050)))
    """
    surfaces = [width, *(cut for step in VGA_STEPS if (cut := width // step * step))]
    vnc = [
        (min(-(-surface // VNC_STEP) * VNC_STEP, most_x), min(height, most_y))
        for surface in surfaces
        for most_x, most_y in VNC_LIMITS
    ]
    return tuple(dict.fromkeys([*vnc, *((surface, height) for surface in surfaces)]))


def screen_of(size: tuple[int, int] | None) -> Screen:
    """Return the screen of a size in pixels; without one, the default, and no scales."""
    return Screen(*size, scales(*size)) if size else Screen(*DEFAULT_SCREEN)
