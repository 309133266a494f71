"""Every pixel of every screen, through every reader of the tablet, is the pixel that was meant.

readers.py has what the readers do, and what is sent.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from readers import (
    RANGE,
    Doubles,
    Exact,
    Values,
    exact_libinput,
    exact_server,
    from_pixels,
    from_raw,
    weston,
    xorg_evdev,
    xorg_libinput,
)
from ring_model import INT_MAX, INT_MIN, Event, Rig, motion, pos

from xenabs.geometry import (
    AXIS_MAX,
    RAW_MAX,
    axis_from_pixel,
    axis_from_raw,
    framebuffer_size,
    pixel_from_axis,
)

WIDTHS = range(640, 7681)
# Heights are smaller; the widest that geometry.py vouches for are larger.
SOME_WIDTHS = [1, 2, 3, 100, 240, 480, 600, *range(640, 7681, 37), 1920, 3840, 7680]
WIDEST_RAW, WIDEST_PIXELS = 13106, 10922


def assert_pixels(right: Values, width: int) -> None:
    assert right.all(), f"width {width}: pixels {np.flatnonzero(~right)[:5]}"


SOURCES = pytest.mark.parametrize("source", [from_raw, from_pixels])


@SOURCES
@pytest.mark.parametrize("reader", [exact_server, exact_libinput])
def test_every_pixel_of_every_width_is_right_in_exact_arithmetic(
    source: Callable[[int], Values], reader: Exact
) -> None:
    # floor(a * n / d) == p without a division: p * d <= a * n < (p + 1) * d. The largest product is
    # 7680 * 65534 * 65536 < 2 ** 45: int64 holds it.
    for width in WIDTHS:
        times, over = reader(width)
        start = np.arange(width) * over
        value = source(width)
        for sent in (value, value ^ 1):
            scaled = sent * times
            assert_pixels((start <= scaled) & (scaled < start + over), width)


@SOURCES
@pytest.mark.parametrize("reader", [xorg_evdev, xorg_libinput, weston])
def test_every_pixel_of_every_width_is_right_in_the_readers_doubles(
    source: Callable[[int], Values], reader: Doubles
) -> None:
    for width in WIDTHS:
        pixels = np.arange(width)
        value = source(width)
        for sent in (value, value ^ 1):
            assert_pixels(np.floor(reader(sent, width)) == pixels, width)


@pytest.mark.parametrize(
    ("source", "widest"), [(from_raw, WIDEST_RAW), (from_pixels, WIDEST_PIXELS)]
)
@pytest.mark.parametrize("reader", [xorg_evdev, xorg_libinput])
def test_screens_as_wide_as_the_arithmetic_promises_are_right(
    source: Callable[[int], Values], widest: int, reader: Doubles
) -> None:
    for width in (*range(1, 640, 7), *range(7681, widest, 131), widest):
        value = source(width)
        for sent in (value, value ^ 1):
            assert_pixels(np.floor(reader(sent, width)) == np.arange(width), width)


def test_the_compiled_function_gives_the_middle_of_each_pixel() -> None:
    """The tests above took a pixel's value from the formula: it is the pump's."""
    for width in SOME_WIDTHS:
        compiled = [axis_from_pixel(pixel, width) for pixel in range(width)]
        assert compiled == from_pixels(width).tolist(), f"width {width}"
    for width in WIDTHS:
        ends = [axis_from_pixel(pixel, width) for pixel in (0, width - 1)]
        assert ends == from_pixels(width)[[0, -1]].tolist(), f"width {width}"


# ---- outside the screen ----


# RAW_MAX itself is what QEMU makes of the pixel after the last.
@pytest.mark.parametrize("raw", [INT_MIN, -3, -2, -1, RAW_MAX, RAW_MAX + 1, INT_MAX])
def test_raw_coordinates_outside_the_screen_are_at_its_edge(raw: int) -> None:
    value = axis_from_raw(raw)
    for width in WIDTHS:
        edge = 0 if raw < 0 else width - 1
        for times, over in (exact_server(width), exact_libinput(width)):
            assert value * times // over == (value ^ 1) * times // over == edge


@given(raw=st.integers(INT_MIN, INT_MAX))
@example(raw=-3)
@example(raw=-2)
@example(raw=32764)
@example(raw=32765)
def test_a_raw_coordinate_leaves_the_low_bit_free_and_the_range_kept(raw: int) -> None:
    assert axis_from_raw(raw) in range(0, AXIS_MAX, 2)


def test_no_raw_coordinate_is_left_of_a_smaller_one() -> None:
    values = [axis_from_raw(raw) for raw in range(-10, RAW_MAX + 10)]
    assert values == sorted(values)


@given(size=st.integers(1, 2**32 - 1), pixel=st.integers(INT_MIN, INT_MAX))
@example(size=1, pixel=INT_MIN)
@example(size=2**32 - 1, pixel=INT_MAX)
def test_pixels_outside_the_screen_are_at_its_edge(size: int, pixel: int) -> None:
    value = axis_from_pixel(pixel, size)
    assert 0 <= value <= AXIS_MAX
    if pixel < 0:
        assert value == axis_from_pixel(0, size)
    if pixel >= size:
        assert value == axis_from_pixel(size - 1, size)


# ---- back ----


def test_the_pixel_of_a_value_is_the_one_it_was_made_from() -> None:
    for width in SOME_WIDTHS:
        for pixel in range(width):
            value = axis_from_pixel(pixel, width)
            assert pixel_from_axis(value, width) == pixel
            assert pixel_from_axis(value ^ 1, width) == pixel


@pytest.mark.parametrize("width", [1, 800, 7680])
def test_every_value_of_the_axis_lies_in_a_pixel_of_the_screen(width: int) -> None:
    pixels = [pixel_from_axis(value, width) for value in range(AXIS_MAX + 1)]
    assert pixels == sorted(pixels)
    assert set(pixels) == set(range(width))


# ---- relative motion ----


@pytest.fixture(params=[(640, 480), (1366, 768), (1920, 1080), (3840, 2160), (7680, 4320)])
def screen(request: pytest.FixtureRequest) -> Iterator[tuple[Rig, int, int]]:
    width, height = request.param
    with Rig() as rig:
        rig.ring.set_screen(width, height)
        rig.ring.speak_pixels()
        yield rig, width, height


def pixel_seen(rig: Rig, width: int, height: int) -> tuple[int, int]:
    events: list[Event] = [event for frame in rig.tablet.frames() for event in frame]
    _, _, x = events[-2]
    _, _, y = events[-1]
    return x * width // RANGE, y * height // RANGE


def test_a_hundred_pixels_to_the_right_are_a_hundred_pixels(screen: tuple[Rig, int, int]) -> None:
    rig, width, height = screen
    rig.backend.put(pos(200, 300), motion(100, 0))
    rig.ring.drain()
    assert pixel_seen(rig, width, height) == (300, 300)


def test_a_hundred_steps_of_a_pixel_are_a_hundred_pixels(screen: tuple[Rig, int, int]) -> None:
    rig, width, height = screen
    rig.send(pos(width - 1, 0))
    for _ in range(50):
        rig.backend.put(motion(-1, 1), motion(-1, 1))
        rig.ring.drain()
    assert pixel_seen(rig, width, height) == (width - 101, 100)


def test_relative_motion_stops_at_the_edges(screen: tuple[Rig, int, int]) -> None:
    rig, width, height = screen
    rig.backend.put(motion(INT_MAX, INT_MIN))
    rig.ring.drain()
    assert pixel_seen(rig, width, height) == (width - 1, 0)
    rig.backend.put(motion(-1, 1))
    rig.ring.drain()
    assert pixel_seen(rig, width, height) == (width - 2, 1)


def test_relative_motion_goes_on_from_a_raw_position(screen: tuple[Rig, int, int]) -> None:
    rig, width, height = screen
    rig.ring.speak_raw()
    rig.backend.put(pos(200 * RAW_MAX // width, 100 * RAW_MAX // height), motion(100, 100))
    rig.ring.drain()
    assert pixel_seen(rig, width, height) == (300, 200)


# ---- the framebuffer ----


def framebuffer(graphics: Path, number: int, name: str, size: str) -> None:
    folder = graphics / f"fb{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "virtual_size").write_text(f"{size}\n")


def test_the_framebuffer_of_the_screen_is_the_one_named_xen(tmp_path: Path) -> None:
    framebuffer(tmp_path, 0, "EFI VGA", "1024,768")
    framebuffer(tmp_path, 1, "xen", "1280,800")
    assert framebuffer_size(tmp_path) == (1280, 800)


def test_another_framebuffer_tells_nothing_of_the_screen(tmp_path: Path) -> None:
    framebuffer(tmp_path, 0, "xenofb", "1024,768")
    assert framebuffer_size(tmp_path) is None


def test_a_guest_without_graphics_has_no_framebuffer(tmp_path: Path) -> None:
    assert framebuffer_size(tmp_path / "graphics") is None
