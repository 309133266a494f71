"""Every pixel of a mapped output, in many layouts, is the pixel that was meant.

The server's way through the matrix is written here as its sources have it: dix/devices.c
(DeviceSetTransform), pixman's pixman-matrix.c, and dix/getevents.c (transformAbsolute, clipAxis,
scale_to_desktop). All in doubles; the property's values are floats.
"""

import random
from collections.abc import Callable

import numpy as np
import pytest
from readers import Values, from_pixels, from_raw, libinput_scale, rescale_axis

from xenabs.geometry import AXIS_MAX
from xenabs.x11.region import IDENTITY, Region, parse

WIDTHS = range(640, 7681)
LARGEST = 32767
"""Pixels of the widest screen that X has."""

Device = Callable[[Values], Values]


def evdev(value: Values) -> Values:
    return value.astype(np.float64)


def libinput(value: Values) -> Values:
    return libinput_scale(value, 65535)


def product(left: list[list[float]], right: list[list[float]]) -> list[list[float]]:
    """pixman_f_transform_multiply"""
    return [
        [sum(left[row][k] * right[k][column] for k in range(3)) for column in range(3)]
        for row in range(3)
    ]


def scaling(x: float, y: float) -> list[list[float]]:
    return [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]]


def server(region: Region, screen: int, axis_max: int, value: Values) -> Values:
    """The x that the server makes of values of a device's axis, on a screen so wide and high."""
    matrix = region.matrix((screen, screen))
    given = [list(matrix[row : row + 3]) for row in (0, 3, 6)]
    size = float(axis_max + 1)
    (c, d, t), _, last = product(
        product(scaling(size, size), given), scaling(1.0 / size, 1.0 / size)
    )
    assert last == [0.0, 0.0, 1.0]
    # y is what it may be: it does not count in x.
    moved = np.clip(c * value + d * 12345.0 + t, 0.0, axis_max)
    return np.floor(rescale_axis(moved, axis_max, screen))


def layouts(width: int) -> list[tuple[int, int]]:
    """Offsets of an output of that width, and the screen's width: alone, at either end, between."""
    chance = random.Random(width)
    odd = chance.randrange(1, LARGEST - width)
    return [
        (0, width + 1),
        (1920, 1920 + width),
        (1, min(3 * width, LARGEST)),
        (odd, chance.randrange(odd + width, LARGEST + 1)),
        (LARGEST - width, LARGEST),
    ]


@pytest.mark.parametrize("source", [from_raw, from_pixels])
@pytest.mark.parametrize(("device", "axis_max"), [(evdev, AXIS_MAX), (libinput, 65535)])
def test_every_pixel_of_a_mapped_output_is_right(
    source: Callable[[int], Values], device: Device, axis_max: int
) -> None:
    for width in (*range(64, 640, 29), *WIDTHS[::3], 1280, 1366, 1920, 2560, 3840, 7680):
        value = source(width)
        for offset, screen in layouts(width):
            region = Region(width, width, offset, offset)
            for sent in (value, value ^ 1):
                got = server(region, screen, axis_max, device(sent))
                wrong = np.flatnonzero(got != offset + np.arange(width))
                assert not len(wrong), f"{region} of {screen}: pixels {wrong[:5]}"


def test_the_whole_screen_has_the_matrix_of_an_unmapped_tablet() -> None:
    assert Region(1366, 768).matrix((1366, 768)) == IDENTITY


def test_a_regions_name_is_what_it_is_made_of() -> None:
    region = Region(1280, 800, 1024, 32)
    assert str(region) == "1280x800+1024+32"
    assert parse(str(region)) == region


@pytest.mark.parametrize(
    "text", ["DUMMY1", "1280x800", "0x800+0+0", "1280x800-1+0", "1280x800+0+0 ", "x", ""]
)
def test_another_text_is_no_region(text: str) -> None:
    assert parse(text) is None


def test_a_region_is_on_the_screen_or_not() -> None:
    assert Region(1280, 800, 1024, 0).within((2304, 800))
    assert not Region(1280, 800, 1025, 0).within((2304, 800))
    assert not Region(1280, 800, 0, 1).within((2304, 800))
