"""What has a driver take the tablet's range for a part of the screen: the arithmetic.

Of a pixel p of an output of w pixels the tablet makes an axis value (xenabs/geometry.py) with

    p * N / w + 2  <  a  <=  p * N / w + 5        N = 65534 values, 0 to N - 1

and the server makes pixel floor(b * S / N) of a value b, on a screen of S pixels. For an output at
x, b has to be from (x + p) * N / S to (x + p + 1) * N / S: c * a + x * N / S, with c = w / S, and
SHIFT more as the drivers round b down to an integer:

    (x + p) * N / S + 2c + SHIFT - 1  <  b  <=  (x + p) * N / S + 5c + SHIFT

**libinput** takes a matrix for the range from 0 to 1, as floats (evdev_device_calibrate), and the
integers of its result (matrix_mult_vec). The X server's driver then scales by 65535 / 65536 more,
which takes less than one away. The floats are off by less than c together. So the lower end is kept
by SHIFT = 2, the upper one as long as 5c + SHIFT + c < N / S: 6w + 2S <= 65534.

**evdev** takes the values a which are to be the screen's first and last, as integers, and makes of
a (a - first) * (N - 1) / (last - first) in integers (EvdevApplyCalibration, xf86ScaleAxis). Either
rounding is worth half a c: the same bounds.

Coordinates that come as pixels are in the middle of theirs: there it is 4w + 4S <= 65534.

**Why not the server's own matrix**, the "Coordinate Transformation Matrix", which takes every
driver's values, and without rounding: XWarpPointer passes through it as well (ProcWarpPointer takes
the slave that moved last; transformAbsolute). The pointer is put where it should be, but what the
server remembers for the device is that place with the matrix applied once more. Until the tablet's
next position a press then lands there, and an axis that comes alone moves the other one there.
"""

from collections.abc import Callable

from xenabs.geometry import AXIS_MAX
from xenabs.x11.properties import Value
from xenabs.x11.region import Region

VALUES = AXIS_MAX + 1
SHIFT = 2
"""Axis values by which both calibrations go up before the driver rounds down."""

Size = tuple[int, int]


def libinput(region: Region, screen: Size) -> Value:
    """The "libinput Calibration Matrix" for a region of a screen of that width and height."""
    width, height = screen
    shift = SHIFT / VALUES
    return Value.floats(
        *(region.width / width, 0.0, region.x / width + shift),
        *(0.0, region.height / height, region.y / height + shift),
        *(0.0, 0.0, 1.0),
    )


def evdev(region: Region, screen: Size) -> Value:
    """The "Evdev Axis Calibration": first and last x, first and last y."""
    return Value.integers(
        *_first_and_last(region.width, region.x, screen[0]),
        *_first_and_last(region.height, region.y, screen[1]),
    )


def _first_and_last(size: int, start: int, whole: int) -> tuple[int, int]:
    first = -round((start * VALUES + SHIFT * whole) / size)
    return first, first + round(AXIS_MAX * whole / size)


CALIBRATIONS: dict[str, tuple[str, Callable[[Region, Size], Value]]] = {
    "libinput": ("libinput Calibration Matrix", libinput),
    "evdev": ("Evdev Axis Calibration", evdev),
}
"""Driver -> its property, and what that is to be."""
