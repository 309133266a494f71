"""What the pump makes of the entries of a ring, case by case."""

import itertools
import mmap
import os
import random
import struct
from collections.abc import Iterator

import pytest
from evdev import ecodes
from ring_model import (
    BUTTONS,
    INT_MAX,
    INT_MIN,
    KEY_A,
    KEY_B,
    KEYS,
    LAST_CODE,
    LEFT,
    MIDDLE,
    RIGHT,
    SLOTS,
    Rig,
    at,
    frames_of,
    key,
    keyed,
    motion,
    pos,
    wheel,
)

from xenabs.kbdif.ring import Output, Ring


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


# ---- presses and positions ----


def test_a_press_that_jumps_lands_where_it_was_made(rig: Rig) -> None:
    rig.send(pos(10, 20))
    assert rig.send(key(LEFT), pos(1000, 2000)) == [at(2004, 4004) + keyed(LEFT, 1)]


def test_a_press_waits_for_a_position_that_comes_in_the_next_batch(rig: Rig) -> None:
    rig.send(pos(10, 20))
    assert rig.send(key(LEFT)) == []
    assert rig.send(pos(1000, 2000)) == [at(2004, 4004) + keyed(LEFT, 1)]


def test_the_release_at_the_end_of_a_drag_is_at_its_end(rig: Rig) -> None:
    rig.send(key(LEFT), pos(10, 10), pos(20, 20))
    assert rig.send(pos(30, 30), key(LEFT, 0), pos(40, 40)) == [
        at(64, 64),
        at(84, 84) + keyed(LEFT, 0),
    ]


def test_a_double_click_in_one_batch_keeps_its_four_edges(rig: Rig) -> None:
    click = (key(LEFT), pos(50, 60), key(LEFT, 0), pos(50, 60))
    assert rig.send(*click, *click) == [
        at(104, 124) + keyed(LEFT, 1),
        keyed(LEFT, 0),
        keyed(LEFT, 1),
        keyed(LEFT, 0),
    ]


def test_buttons_of_one_message_share_its_frame(rig: Rig) -> None:
    assert rig.send(key(LEFT), key(RIGHT), pos(1, 1)) == [
        at(6, 6) + keyed(LEFT, 1) + keyed(RIGHT, 1)
    ]


def test_a_press_and_release_that_nobody_places_are_both_told(rig: Rig) -> None:
    assert rig.send(key(LEFT), key(LEFT, 0), pos(1, 1)) == [
        keyed(LEFT, 1),
        at(6, 6) + keyed(LEFT, 0),
    ]


def test_a_key_does_not_overtake_the_button_before_it(rig: Rig) -> None:
    assert rig.send(key(LEFT), key(KEY_A), pos(1, 1)) == [
        keyed(LEFT, 1),
        keyed(KEY_A, 1),
        at(6, 6),
    ]


def test_a_press_of_a_button_that_is_down_is_a_release_and_a_press(rig: Rig) -> None:
    """The release was lost: it counts where the pointer still is, the press where it was made."""
    assert rig.send(key(LEFT), pos(1, 1), key(LEFT), key(RIGHT, 0), pos(2, 2)) == [
        at(6, 6) + keyed(LEFT, 1),
        keyed(LEFT, 0),
        at(8, 8) + keyed(LEFT, 1),
    ]


def test_a_press_of_a_button_whose_press_still_waits_is_two_clicks(rig: Rig) -> None:
    assert rig.send(key(LEFT), key(LEFT), pos(1, 1)) == [
        keyed(LEFT, 1),
        keyed(LEFT, 0),
        at(6, 6) + keyed(LEFT, 1),
    ]


def test_a_release_of_what_is_up_is_nothing(rig: Rig) -> None:
    assert rig.send(key(LEFT, 0), pos(1, 1), key(KEY_A, 0)) == [at(6, 6)]


def test_a_button_without_a_known_position_comes_with_the_next_position_entry() -> None:
    with Rig() as rig:
        rig.ring.speak_pixels()
        assert rig.send(key(LEFT), pos(5, 5)) == [keyed(LEFT, 1)]


def test_a_press_that_waits_is_told_by_the_next_pump_if_this_one_is_killed(rig: Rig) -> None:
    rig.send(pos(10, 20))
    assert rig.send(key(LEFT)) == []
    tablet = Output(rig.tablet_fd, frozenset(BUTTONS))
    keyboard = Output(rig.keyboard_fd, frozenset(KEYS))
    ring = Ring(rig.backend.page, tablet=tablet, keyboard=keyboard, start=rig.backend.cons)
    ring.speak_raw()
    rig.backend.put(pos(1000, 2000))
    ring.drain()
    assert rig.tablet.frames() == [at(2004, 4004) + keyed(LEFT, 1)]
    ring.close()


def test_slots_of_waiting_buttons_are_given_back_with_them(rig: Rig) -> None:
    rig.send(pos(10, 20), key(LEFT))
    assert rig.backend.cons != rig.backend.prod
    rig.send(key(KEY_A))
    assert rig.backend.cons == rig.backend.prod


# ---- motion ----


def test_of_motions_in_a_row_only_the_last_is_written(rig: Rig) -> None:
    assert rig.send(*(pos(x, 7) for x in range(SLOTS))) == [at(104, 18)]
    assert rig.ring.counters()["merged"] == SLOTS - 1


def test_a_stroke_keeps_every_point(rig: Rig) -> None:
    rig.send(key(LEFT), pos(0, 0))
    points = [(n, 3 * n) for n in range(1, 42)]
    assert rig.send(*(pos(x, y) for x, y in points)) == [
        at(2 * x + 4, 2 * y + 4) for x, y in points
    ]
    assert rig.ring.counters()["merged"] == 0


def test_a_stroke_is_thinned_evenly_to_what_one_write_can_hold(rig: Rig) -> None:
    rig.send(key(LEFT), pos(0, 0))
    rig.backend.put(*(pos(n, 7) for n in range(1, SLOTS + 1)))
    rig.ring.drain()
    (message,) = rig.tablet.messages()
    assert len(message) == 42 * 3
    xs = [0, *((frame[0][2] - 4) // 2 for frame in frames_of(message))]
    assert {after - before for before, after in itertools.pairwise(xs)} == {1, 2}
    assert xs[-1] == SLOTS
    assert rig.ring.counters()["merged"] == SLOTS - 42


def test_points_are_left_out_before_anything_else_is(rig: Rig) -> None:
    """Two strokes with their clicks, keys and wheel in between: the points in the middle go."""
    stroke = [key(LEFT), *(pos(n, n) for n in range(20)), key(LEFT, 0), pos(30, 30)]
    batch = [*stroke, key(KEY_A), pos(30, 30, 1), *stroke, key(KEY_B), pos(9, 9), key(KEY_B, 0)]
    assert len(batch) == SLOTS
    frames = rig.send(*batch)
    marks = [event for frame in frames for event in frame if event[0] != ecodes.EV_ABS]
    assert marks == [
        *keyed(LEFT, 1),
        *keyed(LEFT, 0),
        *keyed(KEY_A, 1),
        *wheel(-1),
        *keyed(LEFT, 1),
        *keyed(LEFT, 0),
        *keyed(KEY_B, 1),
        *keyed(KEY_B, 0),
    ]
    tablet = [frame for frame in frames if frame[0][1] not in (KEY_A, KEY_B)]
    assert 123 < sum(len(frame) + 1 for frame in tablet) <= 126
    # A stroke's last point before the release is there, and so is the place of each release.
    assert frames.count(at(42, 42)) + frames.count(at(43, 43)) == 2
    places = [frame[:2] for frame in frames if keyed(LEFT, 0)[0] in frame]
    assert places == [at(64, 64), at(64, 64)]


def test_what_waits_for_a_reader_of_the_tablet_fits_although_keys_divide_it(rig: Rig) -> None:
    rig.send(key(LEFT), pos(0, 0))
    typed = [key(KEY_A), key(KEY_A, 0)]
    frames = rig.send(*(pos(n, n) for n in range(25)), *typed, *(pos(n, n) for n in range(24)))
    tablet = [frame for frame in frames if frame[0][0] == ecodes.EV_ABS]
    assert len(tablet) == 42
    assert [frame for frame in frames if frame not in tablet] == [keyed(KEY_A, 1), keyed(KEY_A, 0)]


def test_a_wheel_step_has_its_own_frame_and_what_is_before_it_stays_there(rig: Rig) -> None:
    assert rig.send(pos(1, 1), pos(2, 2, -1), pos(3, 3)) == [
        at(8, 8),
        wheel(1),
        at(10, 10),
    ]


def test_motions_around_a_key_are_not_merged(rig: Rig) -> None:
    assert rig.send(pos(1, 1), key(KEY_A), pos(2, 2)) == [at(6, 6), keyed(KEY_A, 1), at(8, 8)]


def test_the_same_position_again_is_obeyed_again(rig: Rig) -> None:
    values = [rig.send(pos(100, 200)) for _ in range(3)]
    assert values == [[at(204, 404)], [at(205, 405)], [at(204, 404)]]


def test_the_last_value_of_an_axis_is_told_apart_within_the_range(rig: Rig) -> None:
    rig.ring.speak_pixels()
    rig.ring.set_screen(65534, 65534)
    assert [rig.send(pos(65533, 65533)) for _ in range(2)] == [
        [at(65533, 65533)],
        [at(65532, 65532)],
    ]


def test_an_axis_that_stays_is_told_again_beside_one_that_moves(rig: Rig) -> None:
    rig.send(pos(100, 200))
    assert rig.send(pos(100, 300)) == [at(205, 604)]


def test_motions_that_end_where_they_began_are_told_apart_from_the_value_that_was_written(
    rig: Rig,
) -> None:
    rig.send(pos(100, 100))
    assert rig.send(pos(200, 200), pos(100, 100)) == [at(205, 205)]


def test_relative_motion_without_a_screen_size_moves_nothing(rig: Rig) -> None:
    assert rig.send(motion(5, 5), motion(0, 0, -1)) == [wheel(1)]
    assert rig.ring.counters()["ignored"] == 1
    assert rig.ring.counters()["merged"] == 0


def test_a_button_goes_with_the_relative_motion_that_follows_it(rig: Rig) -> None:
    rig.ring.set_screen(800, 600)
    rig.ring.speak_pixels()
    rig.send(pos(100, 100))
    there = rig.send(pos(110, 90))
    rig.send(pos(100, 100))
    assert rig.send(key(LEFT), motion(10, -10)) == [there[0] + keyed(LEFT, 1)]


# ---- wheel ----


def test_a_wheel_burst_of_a_full_ring_is_one_write_with_every_step(rig: Rig) -> None:
    rig.backend.put(*[pos(500, 500, -1)] * SLOTS)
    rig.ring.drain()
    (message,) = rig.tablet.messages()
    assert sum(value for type_, _, value in message if type_ == 2) == SLOTS


def test_a_full_ring_of_wheel_steps_on_the_move_loses_none(rig: Rig) -> None:
    frames = rig.send(*(pos(x, x, 1) for x in range(SLOTS)))
    assert frames[1::2] == [wheel(-1)] * SLOTS


@pytest.mark.parametrize(
    ("rel_z", "steps"), [(-1, 1), (127, -127), (128, -127), (INT_MIN, 127), (INT_MAX, -127)]
)
def test_wheel_steps_stay_within_what_a_wheel_can_say(rig: Rig, rel_z: int, steps: int) -> None:
    assert rig.send(pos(0, 0, rel_z)) == [at(4, 4), wheel(steps)]
    assert rig.ring.counters()["clamped"] == (abs(rel_z) > 127)


# ---- keys ----


def test_a_press_of_a_key_that_is_down_is_a_repeat(rig: Rig) -> None:
    assert rig.send(key(KEY_A), key(KEY_A), key(KEY_A, 0), key(KEY_A, 0)) == [
        keyed(KEY_A, 1),
        keyed(KEY_A, 2),
        keyed(KEY_A, 0),
    ]


def test_keys_have_a_frame_each_while_a_reader_has_room_for_them(rig: Rig) -> None:
    entries = [key(KEY_A, n % 2) for n in range(1, 32)]
    assert rig.send(*entries) == [keyed(KEY_A, n % 2) for n in range(1, 32)]


def test_a_ring_full_of_keys_is_what_a_reader_of_the_keyboard_has_room_for(rig: Rig) -> None:
    """63 events, and not more than seven values in a frame of a device without axes."""
    rig.backend.put(*(key(KEY_A, n % 2) for n in range(1, SLOTS + 1)))
    rig.ring.drain()
    (message,) = rig.tablet.messages()
    frames = frames_of(message)
    assert len(message) <= 63
    assert max(map(len, frames)) == 7
    assert [event for frame in frames for event in frame] == [
        event for n in range(1, SLOTS + 1) for event in keyed(KEY_A, n % 2)
    ]


def test_a_press_and_a_release_of_a_button_never_share_a_frame(rig: Rig) -> None:
    frames = rig.send(*[key(LEFT), key(LEFT, 0)] * 25)
    rig.ring.release()
    assert frames + rig.tablet.frames() == [keyed(LEFT, 1), keyed(LEFT, 0)] * 25


def test_any_byte_but_zero_is_a_press(rig: Rig) -> None:
    assert rig.send(key(KEY_A, 255), key(KEY_B, 2)) == [keyed(KEY_A, 1), keyed(KEY_B, 1)]


def test_buttons_go_to_the_tablet_and_keys_to_the_keyboard() -> None:
    with Rig(together=False) as rig:
        assert rig.send(pos(1, 1), key(KEY_A), key(LEFT), pos(2, 2)) == [
            at(6, 6),
            at(8, 8) + keyed(LEFT, 1),
        ]
        assert rig.keyboard.frames() == [keyed(KEY_A, 1)]


def test_the_largest_code_is_a_key(rig: Rig) -> None:
    assert rig.send(key(LAST_CODE)) == [keyed(LAST_CODE, 1)]


# The last three would be a declared code if they were cut to 16 bits or taken modulo the bitmap.
@pytest.mark.parametrize(
    "code", [0, 0x300, 0xFFFFFFFF, 0x10000 + KEY_A, 0x10000 + LEFT, 0x300 + KEY_A]
)
def test_a_code_that_no_device_declares_is_refused(rig: Rig, code: int) -> None:
    assert rig.send(key(code), key(code, 0), pos(1, 1)) == [at(6, 6)]
    assert rig.ring.counters()["refused"] == 2


# ---- nothing stays pressed ----


def test_release_lets_go_of_all_that_is_down_once(rig: Rig) -> None:
    rig.send(key(LEFT), pos(1, 1), key(KEY_A), key(KEY_B), key(KEY_B, 0))
    rig.ring.release()
    assert sorted(rig.tablet.frames()) == [keyed(KEY_A, 0), keyed(LEFT, 0)]
    rig.ring.release()
    assert rig.tablet.frames() == []


def test_release_sends_a_press_that_still_waits_before_its_release(rig: Rig) -> None:
    rig.send(key(LEFT))
    rig.ring.release()
    assert rig.tablet.frames() == [keyed(LEFT, 1), keyed(LEFT, 0)]


def test_after_release_a_key_can_be_pressed_anew(rig: Rig) -> None:
    rig.send(key(KEY_A))
    rig.ring.release()
    rig.tablet.frames()
    assert rig.send(key(KEY_A)) == [keyed(KEY_A, 1)]


@pytest.mark.parametrize("ahead", [SLOTS + 1, 2**31, -1])
def test_a_producer_index_that_cannot_be_releases_what_is_down(rig: Rig, ahead: int) -> None:
    rig.send(key(LEFT), pos(1, 1), key(KEY_A))
    rig.backend.prod += ahead
    assert rig.ring.drain() == 0
    assert sorted(rig.tablet.frames()) == [keyed(KEY_A, 0), keyed(LEFT, 0)]
    assert rig.ring.counters()["overruns"] == 1
    assert rig.send(pos(2, 2)) == [at(8, 8)], "the ring goes on at the new index"


def test_a_full_ring_is_no_overrun(rig: Rig) -> None:
    assert len(rig.send(*(pos(n, n, 1) for n in range(SLOTS)))) == 2 * SLOTS
    assert rig.ring.counters()["overruns"] == 0
    assert rig.ring.counters()["full"] == 1


# ---- the ring ----


# 2**32 is no multiple of 51: the last index before the wrap and the first after it share a slot, so
# a batch of a backend that keeps what it wrote ends there.
@pytest.mark.parametrize("start", [0, 50, 2**32 - 40, 2**32 - 20])
def test_entries_come_in_order_from_wherever_the_ring_begins(start: int) -> None:
    with Rig(start=start) as rig:
        for first in range(0, 200, 20):
            frames = rig.send(*(pos(n, n, 1) for n in range(first, first + 20)))
            assert frames[::2] == [at(2 * n + 4, 2 * n + 4) for n in range(first, first + 20)]


def test_the_consumer_index_in_the_page_is_told_but_never_believed(rig: Rig) -> None:
    hostile = random.Random(1)
    for n in range(1, 100):
        assert rig.backend.put(pos(n, n)) == 1
        rig.backend.cons = hostile.getrandbits(32)
        assert rig.ring.drain() == 1
        assert rig.backend.cons == rig.backend.prod
        assert rig.tablet.frames() == [at(2 * n + 4, 2 * n + 4)]


def test_a_full_ring_has_room_again_once_it_is_drained(rig: Rig) -> None:
    assert rig.backend.put(*[pos(1, 1)] * (SLOTS + 1)) == SLOTS
    assert rig.ring.drain() == SLOTS
    assert rig.backend.put(*[pos(1, 1)] * SLOTS) == SLOTS


def test_an_empty_ring_gives_nothing(rig: Rig) -> None:
    assert rig.ring.drain() == 0
    assert rig.tablet.messages() == []


def test_entries_of_unknown_types_are_ignored(rig: Rig) -> None:
    unknown = [bytes([kind]) + b"\x01" * 39 for kind in (0, 2, 5, 255)]
    assert rig.send(*unknown, pos(1, 1)) == [at(6, 6)]
    assert rig.ring.counters()["ignored"] == 4


def test_one_run_of_one_device_is_one_write(rig: Rig) -> None:
    rig.backend.put(key(KEY_A), key(KEY_B), pos(1, 1), pos(2, 2, 1), key(KEY_A, 0))
    rig.ring.drain()
    assert [len(message) for message in rig.tablet.messages()] == [4, 3 + 2, 2]
    assert rig.ring.counters()["writes"] == 3


@pytest.mark.parametrize("before", range(19, 29))
def test_no_write_holds_more_than_a_reader_of_evdev_has_room_for(before: int) -> None:
    """126 events at most, wherever a large frame falls."""
    many = range(0x120, 0x128)
    with Rig(buttons=many) as rig:
        rig.backend.put(*(pos(n, n, 1) for n in range(before)), *(key(code) for code in many))
        rig.backend.put(pos(99, 99, 1))
        rig.ring.drain()
        messages = rig.tablet.messages()
        assert all(len(message) <= 126 for message in messages)
        assert (
            len([frame for message in messages for frame in frames_of(message)]) == 2 * before + 2
        )


def test_more_buttons_than_fit_a_frame_all_arrive() -> None:
    many = range(0x120, 0x130)
    with Rig(buttons=many) as rig:
        frames = rig.send(*(key(code) for code in many), pos(1, 1))
        assert frames[-1][:2] == at(6, 6)
        assert [event for frame in frames for event in frame if event[0] == 1] == [
            event for code in many for event in keyed(code, 1)
        ]


# ---- outputs that fail ----


@pytest.mark.parametrize("entries", [[pos(1, 1)], [key(KEY_A)]], ids=["tablet", "keyboard"])
def test_an_output_that_is_gone_is_an_error_that_names_it(entries: list[bytes]) -> None:
    read_end, write_end = os.pipe()
    other = os.open(os.devnull, os.O_WRONLY)
    to_keyboard = entries[0] == key(KEY_A)
    with mmap.mmap(-1, 4096) as page:
        ring = Ring(
            page,
            tablet=Output(other if to_keyboard else write_end, BUTTONS),
            keyboard=Output(write_end if to_keyboard else other, KEYS),
        )
        ring.speak_raw()
        os.close(read_end)
        struct.pack_into("=I", page, 4, 1)
        struct.pack_into("=40s", page, 1024, entries[0])
        with pytest.raises(BrokenPipeError, match=f"descriptor {write_end} "):
            ring.drain()
        ring.close()
    os.close(write_end)
    os.close(other)


def test_an_output_that_fails_before_waiting_buttons_fails_the_same_way_again() -> None:
    many = range(0x120, 0x130)
    with Rig(buttons=many) as rig:
        rig.tablet.close()
        # Almost a write's worth of frames, then more buttons than one frame can hold.
        rig.backend.put(*(pos(n, n, 1) for n in range(23)), *(key(code) for code in many))
        for attempt in (rig.ring.drain, rig.ring.release):
            with pytest.raises(BrokenPipeError, match=f"descriptor {rig.tablet_fd} "):
                attempt()


# ---- the page ----


@pytest.mark.parametrize("size", [0, 4095, 8192])
def test_a_page_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="4096"):
        Ring(bytearray(size), tablet=Output(-1, BUTTONS), keyboard=Output(-1, KEYS))


def test_a_page_that_cannot_be_written_is_refused() -> None:
    with pytest.raises((BufferError, TypeError, ValueError)):
        Ring(bytes(4096), tablet=Output(-1, BUTTONS), keyboard=Output(-1, KEYS))


def test_the_page_is_free_after_close(rig: Rig) -> None:
    with pytest.raises(BufferError):
        rig.backend.page.close()
    rig.ring.close()
    rig.backend.page.close()
    assert rig.backend.page.closed


def test_counters_tell_what_came_and_what_went(rig: Rig) -> None:
    rig.send(key(LEFT), pos(1, 1), pos(40000, 1), motion(0, 0, 1), key(MIDDLE), key(999))
    told = {name: count for name, count in rig.ring.counters().items() if count}
    assert told == {
        "entries": 6,
        "positions": 2,
        "motions": 1,
        "keys": 3,
        "refused": 1,
        "clamped": 1,
        "frames": 3,
        "events": 4 + 3 + 2,
        "writes": 1,
    }
