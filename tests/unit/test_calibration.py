"""Every pixel of a mapped output, in many layouts and with both drivers, is the one that was meant.

What the drivers do with a calibration is written here as their sources have it:

- libinput 1.22 (evdev_device_calibrate, matrix_mult, matrix_mult_vec): matrices of floats, each sum
  of a product in doubles; a coordinate times the matrix in floats, the result an integer;
- xf86-input-evdev (EvdevApplyCalibration) by the server's xf86ScaleAxis: in 64-bit integers, kept
  within the device's range.

Then the readers' arithmetic follows, as on an unmapped tablet, and the server keeps the value
within the range that the driver declared (clipAxis).
"""

import random
from collections.abc import Callable

import numpy as np
import pytest
from readers import Values, from_pixels, from_raw, libinput_scale, rescale_axis

from xenabs.geometry import AXIS_MAX
from xenabs.x11 import calibration
from xenabs.x11.region import Region

RANGE = AXIS_MAX + 1
WIDTHS = (*range(64, 640, 29), *range(640, 7681, 3), 1280, 1366, 1920, 2560, 3840, 7680)

Matrix = np.ndarray


def product(left: Matrix, right: Matrix) -> Matrix:
    return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.float32)


def libinput(region: Region, screen: int, value: Values) -> Values:
    user = np.array(calibration.libinput(region, (screen, screen)).numbers(), np.float32)
    size = np.diag([RANGE, RANGE, 1]).astype(np.float32)
    inverse = np.diag([1 / RANGE, 1 / RANGE, 1]).astype(np.float32)
    matrix = product(product(size, user.reshape(3, 3)), inverse)
    scaled = value.astype(np.float32) * matrix[0, 0]
    # y is what it may be: it does not count in x.
    integer = (scaled + np.float32(12345) * matrix[0, 1] + matrix[0, 2]).astype(np.int64)
    posted = np.clip(libinput_scale(integer, 65535), 0.0, 65535.0)
    return np.floor(rescale_axis(posted, 65535, screen))


def evdev(region: Region, screen: int, value: Values) -> Values:
    first, last, *_ = map(int, calibration.evdev(region, (screen, screen)).numbers())
    scaled = AXIS_MAX * (value - first) // (last - first)
    posted = np.clip(scaled, 0, AXIS_MAX).astype(np.float64)
    return np.floor(rescale_axis(posted, AXIS_MAX, screen))


def layouts(width: int, widest: int) -> list[tuple[int, int]]:
    """Where an output of that width may be, and how wide the screen: all alone, at either end,
    between others, and on the widest screen that there may be."""
    chance = random.Random(width)
    odd = chance.randint(0, widest - width)
    return [
        (0, width),
        (0, min(width + 1, widest)),
        (min(1920, widest - width), min(1920 + width, widest)),
        (odd, chance.randint(odd + width, widest)),
        (widest - width, widest),
    ]


@pytest.mark.parametrize(("source", "factors"), [(from_raw, (6, 2)), (from_pixels, (4, 4))])
@pytest.mark.parametrize("driver", [libinput, evdev])
def test_every_pixel_of_a_mapped_output_is_right(
    source: Callable[[int], Values],
    factors: tuple[int, int],
    driver: Callable[[Region, int, Values], Values],
) -> None:
    for width in WIDTHS:
        value = source(width)
        widest = min((RANGE - factors[0] * width) // factors[1], 32767)
        for offset, screen in layouts(width, widest):
            region = Region(width, width, offset, offset)
            for sent in (value, value ^ 1):
                wrong = np.flatnonzero(driver(region, screen, sent) != offset + np.arange(width))
                assert not len(wrong), f"{region} of {screen}: pixels {wrong[:5]}"


def test_x_and_y_are_calibrated_apart() -> None:
    wide, high = Region(800, 500, 640, 0), Region(500, 800, 0, 640)
    for driver, rows in ((calibration.libinput, [0, 4, 2, 5]), (calibration.evdev, [0, 2, 1, 3])):
        one = driver(wide, (1600, 1000)).numbers()
        other = driver(high, (1000, 1600)).numbers()
        assert [one[row] for row in rows] == [other[row] for row in (*rows[1::-1], *rows[:1:-1])]
