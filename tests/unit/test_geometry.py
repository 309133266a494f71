"""Every pixel of every screen, through every reader of the tablet, is the pixel that was meant.

readers.py has what the readers do, and what is sent.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qemu_displays import NEW_MAX, OLD_MAX, vga, vnc
from readers import (
    RANGE,
    Doubles,
    Exact,
    Values,
    exact_libinput,
    exact_server,
    from_pixels,
    from_raw,
    from_scaled,
    weston,
    wlroots,
    xorg_evdev,
    xorg_libinput,
)
from ring_model import INT_MAX, INT_MIN, Event, Rig, motion, pos

from xenabs.geometry import (
    AXIS_MAX,
    RAW_MAX,
    axis_from_pixel,
    axis_from_raw,
    axis_from_scaled,
    pixel_from_axis,
    raw_fits,
    scales,
)

WIDTHS = range(320, 7681)
NARROW = range(1, 320)
# Heights are smaller; the widest that geometry.py vouches for are larger.
SOME_WIDTHS = [1, 2, 3, 100, 240, *range(320, 7681, 37), 1366, 1920, 3840, 7680]
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
@pytest.mark.parametrize("reader", [xorg_evdev, xorg_libinput, weston, wlroots])
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
    for width in (*NARROW, *range(7681, widest, 131), widest):
        value = source(width)
        for sent in (value, value ^ 1):
            assert_pixels(np.floor(reader(sent, width)) == np.arange(width), width)


@SOURCES
@pytest.mark.parametrize("reader", [xorg_evdev, xorg_libinput])
def test_on_wider_screens_no_pixel_is_off_by_more_than_one(
    source: Callable[[int], Values], reader: Doubles
) -> None:
    for width in (*range(10923, 16384, 111), 16384):
        value = source(width)
        for sent in (value, value ^ 1):
            assert np.abs(np.floor(reader(sent, width)) - np.arange(width)).max() <= 1


def displays(width: int) -> set[int]:
    """By what QEMU's displays scale x on a screen so wide; but for the width itself."""
    surfaces = (width, vga(width))
    sizes = {vnc(surface, 1, most).width for surface in surfaces for most in (OLD_MAX, NEW_MAX)}
    return {*sizes, *surfaces} - {0, width}


def test_every_pixel_of_every_width_is_recovered_whatever_the_display_scales_by() -> None:
    """It is then sent as its own pixel's value, which the tests above took to every reader."""
    for width in (*NARROW, *WIDTHS, *range(7681, WIDEST_PIXELS, 131), WIDEST_PIXELS):
        for scale in displays(width):
            sent = from_scaled(scale, width)
            assert_pixels(sent == from_pixels(width)[: len(sent)], width)


def test_the_compiled_function_recovers_them() -> None:
    """The test above took them from the formula: it is the pump's."""
    for width in (*SOME_WIDTHS, *range(1360, 1377)):
        for scale in displays(width):
            pixels = range(0, min(scale, width), 1 if width < 1400 else 17)
            compiled = [axis_from_scaled(p * RAW_MAX // scale, scale, width) for p in pixels]
            assert compiled == [axis_from_pixel(p, width) for p in pixels], f"{scale} on {width}"


def test_a_screen_of_the_scale_itself_is_sent_without_its_size() -> None:
    raws = range(-3, RAW_MAX + 10, 7)
    assert [axis_from_scaled(raw, 1280, 1280) for raw in raws] == [*map(axis_from_raw, raws)]


def test_every_size_that_a_display_may_scale_by_is_known() -> None:
    for width in (*NARROW, *WIDTHS):
        known = scales(width, 1080)
        assert displays(width) <= {scale for scale, _ in known}
        assert known[0][0] in (vnc(width, 1, NEW_MAX).width, vnc(width, 1, OLD_MAX).width)
        assert all(0 < scale < 65536 for size in known for scale in size)


def test_what_a_scale_can_say_fits_it_and_nothing_else_does() -> None:
    for scale in (1, 2, 800, 1366, 1376, 2560, 7680):
        said = {p * RAW_MAX // scale for p in range(scale + 1)}
        assert {raw for raw in range(RAW_MAX + 1) if raw_fits(raw, scale)} == said


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


@pytest.mark.parametrize("scale", [1, 1376, 2560, 65535])
@given(raw=st.integers(INT_MIN, INT_MAX), size=st.integers(1, WIDEST_PIXELS))
def test_a_scaled_coordinate_outside_the_screen_is_at_its_edge(
    scale: int, raw: int, size: int
) -> None:
    value = axis_from_scaled(raw, scale, size)
    assert 0 <= value <= AXIS_MAX
    if raw < 0:
        assert pixel_from_axis(value, size) == 0
    if raw > RAW_MAX and size <= scale:
        assert pixel_from_axis(value, size) == size - 1


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
