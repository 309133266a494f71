"""What readers of the tablet make of its axis values, and what xenabs sends for each pixel.

A reader scales an axis value to the screen and rounds down. What the readers do is written here as
their sources have it:

- libinput (absinfo_scale_axis): (value - min) * to_range / (max - min + 1), in doubles;
- xf86-input-libinput asks libinput for a range of 65535 and declares axes from 0 to 65535;
- the X server (rescaleValuatorAxis): (value - min) * (size - 0) / (max + 1 - min) + 0, in doubles;
  its transformation matrix, if anybody sets the identity, is exactly 1 for both ranges;
- xf86-input-evdev hands the value to the server as it is;
- weston asks libinput for the size of the output, its clients get 1/256 of a pixel;
- wlroots (wlr_cursor_absolute_to_layout_coords) asks libinput for a range of 1 and multiplies.
"""

from collections.abc import Callable

import numpy as np
from qemu_displays import ABS_MAX

from xenabs.geometry import AXIS_MAX, RAW_MAX, axis_from_raw

Values = np.ndarray
Exact = Callable[[int], tuple[int, int]]
Doubles = Callable[[Values, int], Values]

RANGE = 65534
"""Values of an axis of the tablet."""

RAW_TABLE = np.array([axis_from_raw(raw) for raw in range(RAW_MAX + 1)], dtype=np.int64)


def from_raw(width: int) -> Values:
    """The axis value of each pixel, by way of QEMU's raw coordinate floor(p * 32767 / width)."""
    return RAW_TABLE[np.arange(width) * ABS_MAX // width]


def from_scaled(scale: int, width: int) -> Values:
    """The axis value of each pixel that a viewer can name, if QEMU scales by another size."""
    raw = np.arange(min(scale, width)) * ABS_MAX // scale
    pixels = -(-raw * scale // RAW_MAX)
    return from_pixels(width)[pixels]


def from_pixels(width: int) -> Values:
    return (2 * np.arange(width) + 1) * RANGE // (2 * width)


# ---- what readers make of a value, as a fraction of integers ----


def exact_server(width: int) -> tuple[int, int]:
    """xf86-input-evdev and weston."""
    return width, RANGE


def exact_libinput(width: int) -> tuple[int, int]:
    return 65535 * width, RANGE * 65536


# ---- and in the doubles that they use ----


def libinput_scale(value: Values, to_range: int) -> Values:
    return (value.astype(np.float64) - 0) * float(to_range) / float(RANGE)


def rescale_axis(value: Values, axis_max: int, width: int) -> Values:
    return (value - 0.0) * (float(width) - 0.0) / (float(axis_max + 1) - 0.0) + 0.0


def xorg_evdev(value: Values, width: int) -> Values:
    return rescale_axis(value.astype(np.float64), AXIS_MAX, width)


def xorg_libinput(value: Values, width: int) -> Values:
    return rescale_axis(libinput_scale(value, 65535), 65535, width)


def weston(value: Values, width: int) -> Values:
    return np.rint(libinput_scale(value, width) * 256) / 256


def wlroots(value: Values, width: int) -> Values:
    return libinput_scale(value, 1) * float(width)
