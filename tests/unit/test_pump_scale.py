"""By what a backend scales, the values tell: screens of any width, and screens that change."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qemu_displays import NEW_MAX, OLD_MAX, Display, vga, vnc, window
from ring_model import INT_MAX, INT_MIN, KEY_A, LEFT, Frame, Rig, key, keyed, pos
from test_pump_wait import hang_up_in

from xenabs.geometry import Screen, raw_fits, screen_of

ODD, OTHER = (1366, 768), (1400, 1050)
EVEN = (1280, 800)


class Guest:
    """A rig with a screen that it can be told to change, and a note of each look at it."""

    def __init__(self, size: tuple[int, int] | None, **options: float) -> None:
        self.size = size
        self.looks = 0
        self.rig = Rig(look=self.look, **{"rest": 0, "look_interval": 1e-9, **options})
        self.rig.ring.set_screen(*screen_of(size))

    def look(self) -> Screen:
        self.looks += 1
        return screen_of(self.size)

    def pixels(self, frames: list[Frame]) -> list[tuple[int, int]]:
        """Where a reader puts the pointer for each frame that moves it."""
        assert self.size
        moves = [frame for frame in frames if frame[0][0] == 3]
        return [
            (x * self.size[0] // 65534, y * self.size[1] // 65534)
            for (_, _, x), (_, _, y), *_ in moves
        ]

    def point(self, display: Display, *pixels: tuple[int, int]) -> list[tuple[int, int]]:
        """Name pixels in a viewer of that display; where the pointer is after each."""
        return [
            place
            for pixel in pixels
            for place in self.pixels(self.rig.send(pos(*display.raw(*pixel))))
        ]


@pytest.fixture
def odd() -> Iterator[Guest]:
    guest = Guest(ODD)
    with guest.rig:
        yield guest


def ambiguous(display: Display, others: list[Display]) -> tuple[int, int]:
    """A pixel whose raw coordinates all of the others may say, too; neither edge has it."""
    for x in range(display.width // 4, display.width):
        for y in range(display.height // 4, display.height):
            raw_x, raw_y = display.raw(x, y)
            if all(raw_fits(raw_x, o.width) and raw_fits(raw_y, o.height) for o in others):
                return x, y
    raise AssertionError("there is none")


def telling(display: Display, others: list[Display]) -> tuple[int, int]:
    """A pixel whose raw coordinates none of the others may say."""
    for x in range(display.width // 2, display.width):
        y = x % display.height
        raw_x, raw_y = display.raw(x, y)
        if not any(raw_fits(raw_x, o.width) and raw_fits(raw_y, o.height) for o in others):
            return x, y
    raise AssertionError("there is none")


# ---- one screen ----


@pytest.mark.parametrize("size", [ODD, OTHER, (854, 480), (1050, 1680), EVEN, (1, 1), (17, 5)])
def test_every_pixel_that_a_vnc_client_names_is_right_from_the_first(size: tuple[int, int]) -> None:
    guest = Guest(size)
    with guest.rig:
        pixels = [(x, x % size[1]) for x in range(size[0])] + [(x, 0) for x in (0, size[0] - 1)]
        assert guest.point(vnc(*size), *pixels) == pixels
        assert guest.looks == 0


@pytest.mark.parametrize("size", [(2561, 1440), (3840, 2160), (4096, 2304), (5120, 2880)])
@pytest.mark.parametrize("most", [OLD_MAX, NEW_MAX])
def test_a_screen_that_vnc_cuts_off_is_right_once_a_position_has_told(
    size: tuple[int, int], most: tuple[int, int]
) -> None:
    display = vnc(*size, most)
    guest = Guest(size)
    with guest.rig:
        others = [Display(*scale) for scale in screen_of(size).scales]
        guest.point(display, telling(display, [other for other in others if other != display]))
        pixels = [(x, x % display.height) for x in range(min(display.width, size[0]))]
        assert guest.point(display, *pixels) == pixels
        assert guest.rig.ring.scale() == (display.width, display.height)


def test_another_display_is_known_by_its_first_position_that_tells(odd: Guest) -> None:
    display = window(*ODD)
    assert odd.rig.ring.scale() is None
    first = telling(display, [vnc(*ODD), Display(1360, 768)])
    assert odd.point(display, first) == [first]
    assert odd.rig.ring.scale() == ODD
    pixels = [(x, x % 768) for x in range(1366)]
    assert odd.point(display, *pixels) == pixels
    assert odd.looks == 0


def test_while_positions_do_not_tell_they_are_vncs(odd: Guest) -> None:
    pixel = ambiguous(vnc(*ODD), [window(*ODD)])
    assert odd.point(vnc(*ODD), pixel) == [pixel]
    assert odd.rig.ring.scale() is None


def test_a_vga_card_that_cuts_its_width_is_known_by_its_positions(odd: Guest) -> None:
    display = vnc(vga(ODD[0]), ODD[1])
    first = telling(display, [vnc(*ODD), window(*ODD)])
    pixels = [(x, x % 768) for x in range(1360)]
    assert odd.point(display, first, *pixels) == [first, *pixels]


def test_a_viewer_that_is_told_the_padding_reaches_the_edge_with_it(odd: Guest) -> None:
    assert odd.point(vnc(*ODD), (1370, 5), (1375, 767), (1400, 800)) == [
        (1365, 5),
        (1365, 767),
        (1365, 767),
    ]


def test_both_kinds_of_viewer_at_once_are_right_where_their_positions_tell(odd: Guest) -> None:
    for _ in range(3):
        for display, other in ((vnc(*ODD), window(*ODD)), (window(*ODD), vnc(*ODD))):
            pixel = telling(display, [other, Display(1360, 768)])
            assert odd.point(display, pixel) == [pixel]


def test_without_a_screen_the_range_is_taken_for_all_of_it() -> None:
    guest = Guest(None)
    with guest.rig:
        (frame,) = guest.rig.send(pos(100, 200))
        assert [value for _, _, value in frame] == [204, 404]
        assert guest.rig.ring.scale() is None


# ---- a screen that changes ----


@pytest.mark.parametrize("first", [ODD, EVEN])
@pytest.mark.parametrize("second", [OTHER, (1024, 768), (854, 480)])
def test_a_position_that_does_not_fit_is_translated_by_the_new_screen(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    guest = Guest(first)
    with guest.rig:
        others = [Display(*scale) for scale in screen_of(first).scales]
        assert guest.point(vnc(*first), (5, 5)) == [(5, 5)]
        guest.size = second
        pixel = telling(vnc(*second), others)
        assert guest.point(vnc(*second), pixel) == [pixel]
        pixels = [(x, x % second[1]) for x in range(second[0])]
        assert guest.point(vnc(*second), *pixels) == pixels
        assert guest.looks == 1


def test_what_comes_before_and_after_the_first_of_a_new_screen_keeps_its_order(odd: Guest) -> None:
    old, new = vnc(*ODD), vnc(*OTHER)
    pixel = telling(new, [Display(*scale) for scale in screen_of(ODD).scales])
    odd.size = OTHER
    frames = odd.rig.send(
        pos(*old.raw(7, 7)), key(KEY_A), key(LEFT), pos(*new.raw(*pixel)), key(KEY_A, 0)
    )
    assert [frame[-1] for frame in frames[1:]] == [
        keyed(KEY_A, 1)[0],
        keyed(LEFT, 1)[0],
        keyed(KEY_A, 0)[0],
    ]
    assert odd.pixels(frames[2:3]) == [pixel]
    assert odd.rig.backend.cons == odd.rig.backend.prod


def test_a_press_waits_while_the_screen_is_looked_at_for_its_position() -> None:
    guest = Guest(ODD, grace=1e-9)
    with guest.rig, hang_up_in(10) as late:
        rig = guest.rig
        rig.send(key(LEFT))
        guest.size = OTHER
        pixel = telling(vnc(*OTHER), [Display(*scale) for scale in screen_of(ODD).scales])
        rig.backend.put(pos(*vnc(*OTHER).raw(*pixel)))
        assert rig.ring.wait([rig.tablet.fileno(), late]).ready == (rig.tablet.fileno(),)
        (frame,) = rig.tablet.frames()
        assert frame[2:] == keyed(LEFT, 1)
        assert guest.pixels([frame]) == [pixel]


def test_after_a_rest_the_screen_is_looked_at_whatever_the_position_fits() -> None:
    guest = Guest(ODD, rest=0.02)
    with guest.rig:
        guest.point(vnc(*ODD), (5, 5))
        guest.looks = 0
        pixel = ambiguous(vnc(*OTHER), [vnc(*ODD)])
        guest.size = OTHER
        time.sleep(0.03)
        assert guest.point(vnc(*OTHER), pixel) == [pixel]
        assert guest.looks == 1


def test_while_the_pointer_moves_the_screen_is_left_alone() -> None:
    guest = Guest(ODD, rest=1000)
    with guest.rig:
        pixels = [(x, 7) for x in range(200)]
        assert guest.point(vnc(*ODD), *pixels) == pixels
        assert guest.looks == 1, "only before the first"


def test_keys_alone_ask_for_no_look() -> None:
    guest = Guest(ODD, rest=1e-9)
    with guest.rig:
        guest.rig.send(key(KEY_A), key(KEY_A, 0))
        assert guest.looks == 0


def test_a_backend_that_still_shows_the_old_screen_is_understood(odd: Guest) -> None:
    """The guest's framebuffer changes at once, QEMU's surface when something is drawn."""
    old, new = vnc(*ODD), vnc(*OTHER)
    odd.point(old, telling(old, [window(*ODD)]))
    odd.size = OTHER
    odd.rig.ring.set_screen(*screen_of(OTHER))
    pixels = [telling(old, [new, window(*OTHER)]), telling(new, [old, window(*OTHER)])]
    assert odd.point(old, pixels[0]) == [pixels[0]]
    assert odd.point(new, pixels[1], (3, 3), (1399, 1049)) == [pixels[1], (3, 3), (1399, 1049)]


def test_a_screen_that_is_lost_sight_of_and_found_again(odd: Guest) -> None:
    odd.rig.ring.set_screen(*screen_of(None))
    odd.rig.send(pos(1, 1))
    odd.rig.ring.set_screen(*screen_of(ODD))
    assert odd.point(vnc(*ODD), (700, 300)) == [(700, 300)]


# ---- backends that make no sense ----


def unfitting(size: tuple[int, int]) -> list[int]:
    return [v for v in range(32768) if not any(raw_fits(v, s[0]) for s in screen_of(size).scales)]


def test_positions_that_never_fit_are_all_translated_and_looks_are_few() -> None:
    guest = Guest(ODD, look_interval=1000)
    with guest.rig:
        values = unfitting(ODD)[:400]
        for value in values:
            (frame,) = guest.rig.send(pos(value, 5))
            assert frame[0][2] in (2 * value + 4, 2 * value + 5)
        assert guest.looks == 1
        assert guest.rig.ring.counters()["unfitting"] == len(values)
        assert guest.rig.ring.counters()["looks"] == 1


def test_an_owner_is_heard_beside_positions_that_never_fit() -> None:
    guest = Guest(ODD)
    with guest.rig, hang_up_in(0.05) as soon:
        (value,) = unfitting(ODD)[:1]
        ready: tuple[int, ...] = ()
        while not ready:
            guest.rig.backend.put(pos(value, 5))
            guest.rig.backend.fire(0)
            ready = guest.rig.ring.wait([soon, guest.rig.backend.channel.fileno()]).ready
            guest.rig.backend.channel.recv(4096)
            guest.rig.tablet.messages()
            if soon in ready:
                return
            ready = ()


numbers = st.one_of(st.integers(-3, 32770), st.integers(INT_MIN, INT_MAX))
sizes = st.one_of(
    st.none(),
    st.sampled_from([ODD, OTHER, EVEN]),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(sizes, st.lists(st.tuples(numbers, numbers), max_size=51)), max_size=6))
def test_no_entry_is_lost_and_no_value_leaves_the_axis(script) -> None:
    guest = Guest(None, rest=1e-9)
    with guest.rig:
        for size, values in script:
            guest.size = size
            guest.rig.backend.put(*(pos(x, y, 1) for x, y in values))
            assert guest.rig.ring.drain() == len(values)
            frames = guest.rig.tablet.frames()
            wheels = [frame for frame in frames if frame[0][0] == 2]
            assert len(wheels) == len(values)
            for frame in frames:
                assert all(0 <= value <= 65533 for kind, _, value in frame if kind == 3)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(320, 7680),
    st.integers(200, 4320),
    st.sampled_from(["vnc", "new vnc", "window", "vga"]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_whatever_the_screen_and_the_display_every_pixel_is_right_once_it_is_known(
    width, height, kind, places
) -> None:
    surface = vga(width) if kind == "vga" else width
    display = {
        "vnc": vnc(surface, height),
        "new vnc": vnc(surface, height, NEW_MAX),
        "window": window(surface, height),
        "vga": vnc(surface, height),
    }[kind]
    guest = Guest((width, height))
    with guest.rig:
        known = False
        for across, down in places:
            x = int(across * (min(display.width, width) - 1))
            y = int(down * (min(display.height, height) - 1))
            (got,) = guest.point(display, (x, y))
            known = known or guest.rig.ring.scale() == (display.width, display.height)
            if known:
                assert got == (x, y)
