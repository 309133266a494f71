"""How the pump waits: for the event channel, for buttons' positions, for its owner."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from evdev import ecodes
from ring_model import (
    KEY_A,
    KEY_B,
    LEFT,
    RIGHT,
    SLOTS,
    U32,
    Rig,
    at,
    hang_up_in,
    key,
    keyed,
    pos,
)

from xenabs.kbdif.ring import Wakeup

PORT = 7


@pytest.fixture
def late() -> Iterator[int]:
    """What a wait that would never end comes back for."""
    with hang_up_in(10) as fd:
        yield fd


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


def wait_for(rig: Rig, awaited: int, late: int) -> None:
    assert rig.ring.wait([awaited, late]).ready == (awaited,)


# ---- events ----


def test_an_entry_is_translated_when_the_channel_fires(rig: Rig, late: int) -> None:
    tablet = rig.tablet.fileno()

    def backend() -> None:
        rig.backend.put(pos(1, 1))
        rig.backend.fire(PORT)

    thread = threading.Timer(0.02, backend)
    thread.start()
    wait_for(rig, tablet, late)
    thread.join()
    assert rig.tablet.frames() == [at(6, 6)]
    assert rig.ring.counters()["wakeups"] == 1


def test_entries_that_were_there_before_need_no_firing(rig: Rig, late: int) -> None:
    rig.backend.put(pos(1, 1))
    wait_for(rig, rig.tablet.fileno(), late)
    assert rig.tablet.frames() == [at(6, 6)]


def test_every_port_that_fired_is_unmasked(rig: Rig, late: int) -> None:
    rig.backend.fire(PORT, 0, U32)
    wait_for(rig, rig.backend.channel.fileno(), late)
    assert rig.backend.unmasked() == (PORT, 0, U32)


def test_an_entry_written_while_the_port_is_unmasked_is_not_left_lying(rig: Rig, late: int) -> None:
    """A masked port does not fire again, so the pump looks at the ring after unmasking."""
    pump_end = rig.backend.guests_channel
    with contextlib.suppress(BlockingIOError):
        while True:  # until unmasking has to wait for somebody to read
            pump_end.send(b"full", socket.MSG_DONTWAIT)
    rig.backend.fire(PORT)
    tablet, answers = rig.tablet.fileno(), []
    thread = threading.Thread(target=lambda: answers.append(rig.ring.wait([tablet, late])))
    thread.start()
    with contextlib.suppress(BlockingIOError):
        while pump_end.recv(4, socket.MSG_PEEK | socket.MSG_DONTWAIT):
            os.sched_yield()
    rig.backend.put(pos(1, 1))
    while thread.is_alive() and rig.backend.unmasked() != (PORT,):
        pass
    thread.join()
    assert [answer.ready for answer in answers] == [(tablet,)]
    assert rig.tablet.frames() == [at(6, 6)]


# ---- buttons that wait ----


def test_a_press_that_nobody_places_goes_alone_after_the_grace(late: int) -> None:
    with Rig(grace=0.02) as rig:
        begun = time.monotonic()
        assert rig.send(key(LEFT)) == []
        wait_for(rig, rig.tablet.fileno(), late)
        assert time.monotonic() - begun >= 0.02
        assert rig.tablet.frames() == [keyed(LEFT, 1)]
        assert rig.ring.counters()["alone"] == 1


def test_a_position_that_came_while_nobody_waited_still_places_the_press(late: int) -> None:
    with Rig(grace=0) as rig:
        rig.send(key(LEFT))
        rig.backend.put(pos(1, 1))
        wait_for(rig, rig.tablet.fileno(), late)
        assert rig.tablet.frames() == [at(6, 6) + keyed(LEFT, 1)]
        assert rig.ring.counters()["alone"] == 0


def test_other_events_do_not_prolong_the_grace(late: int) -> None:
    with Rig(grace=0.02) as rig:
        rig.send(key(LEFT))
        begun = time.monotonic()
        tablet = rig.tablet.fileno()
        ready: tuple[int, ...] = ()
        while tablet not in ready:
            assert time.monotonic() - begun < 10
            rig.backend.put(key(999))
            rig.backend.fire(PORT)
            ready = rig.ring.wait([tablet, rig.backend.channel.fileno(), late]).ready
            if rig.backend.channel.fileno() in ready:
                rig.backend.unmasked()
        assert rig.tablet.frames() == [keyed(LEFT, 1)]


def test_a_backend_that_puts_the_position_first_is_waited_for_once(late: int) -> None:
    with Rig(grace=0.05) as rig:
        assert rig.send(pos(1, 1), key(LEFT)) == [at(6, 6)]
        wait_for(rig, rig.tablet.fileno(), late)
        assert rig.tablet.frames() == [keyed(LEFT, 1)]
        rig.ring._pump.grace_ns = 10**15  # whoever waits for that does not come back
        assert rig.send(pos(2, 2), key(RIGHT)) == [at(8, 8)]
        wait_for(rig, rig.tablet.fileno(), late)
        assert rig.tablet.frames() == [keyed(RIGHT, 1)]


def test_a_backend_that_puts_the_position_last_again_is_waited_for_again(late: int) -> None:
    with Rig(grace=0.05) as rig:
        rig.send(key(LEFT))
        wait_for(rig, rig.tablet.fileno(), late)
        rig.tablet.frames()
        assert rig.send(key(LEFT, 0), pos(1, 1)) == [at(6, 6) + keyed(LEFT, 0)]
        rig.ring._pump.grace_ns = 10**10
        assert rig.send(key(LEFT)) == []
        unheard = threading.Timer(0.05, lambda: (rig.backend.put(pos(2, 2)), rig.backend.fire(0)))
        unheard.start()
        wait_for(rig, rig.tablet.fileno(), late)
        assert rig.tablet.frames() == [at(8, 8) + keyed(LEFT, 1)]


def test_a_press_that_comes_as_the_grace_of_another_ends_has_a_grace_of_its_own(
    late: int,
) -> None:
    """QEMU writes the entry before it fires: the pump may find it in its last look."""
    with Rig(grace=0.5) as rig:
        rig.send(key(LEFT))
        unheard = threading.Timer(0.05, rig.backend.put, (pos(1, 1), key(RIGHT)))
        unheard.start()
        wait_for(rig, rig.tablet.fileno(), late)
        unheard.join()
        assert rig.tablet.frames() == [at(6, 6) + keyed(LEFT, 1)]
        assert rig.send(pos(2, 2)) == [at(8, 8) + keyed(RIGHT, 1)]


# ---- a ring that was full ----

DOUBT = 0.25


def overflow(rig: Rig, *entries: bytes) -> None:
    """Fill the ring up, with these entries first."""
    rig.backend.put(*entries, *(pos(n, n) for n in range(SLOTS)))
    rig.ring.drain()
    rig.tablet.frames()


@pytest.mark.parametrize("code", [LEFT, KEY_A])
def test_what_is_down_after_an_overflow_is_lifted_within_a_moment(code: int, late: int) -> None:
    with Rig() as rig:
        rig.send(key(code), pos(1, 1))
        begun = time.monotonic()
        overflow(rig)
        wait_for(rig, rig.tablet.fileno(), late)
        assert DOUBT <= time.monotonic() - begun < 1
        assert rig.tablet.frames() == [keyed(code, 0)]
        assert rig.ring.counters()["full"] == 1
        click = rig.send(key(code), pos(1, 1), key(code, 0), pos(1, 1))
        assert [event for frame in click for event in frame if event[0] == ecodes.EV_KEY] == [
            *keyed(code, 1),
            *keyed(code, 0),
        ]


def test_what_was_pressed_in_the_ring_that_was_full_is_lifted_too(late: int) -> None:
    with Rig() as rig:
        overflow(rig, key(KEY_A), key(RIGHT))
        wait_for(rig, rig.tablet.fileno(), late)
        assert sorted(rig.tablet.frames()) == [keyed(KEY_A, 0), keyed(RIGHT, 0)]


def test_a_release_after_an_overflow_is_the_only_one(rig: Rig, late: int) -> None:
    overflow(rig, key(KEY_A))
    assert rig.send(key(KEY_A, 0)) == [keyed(KEY_A, 0)]
    with hang_up_in(2 * DOUBT) as soon:
        assert rig.ring.wait([soon, rig.tablet.fileno()]).ready == (soon,)


def test_a_key_that_is_pressed_again_after_an_overflow_is_released_between(rig: Rig) -> None:
    """A repeat of the viewer's looks the same; it confirms the key, which is not lifted then."""
    overflow(rig, key(KEY_A), key(KEY_B))
    assert rig.send(key(KEY_A)) == [keyed(KEY_A, 0), keyed(KEY_A, 1)]
    assert rig.send(key(KEY_A)) == [keyed(KEY_A, 2)]
    with hang_up_in(2 * DOUBT) as soon:
        while rig.ring.wait([soon, rig.tablet.fileno()]).ready != (soon,):
            assert rig.tablet.frames() == [keyed(KEY_B, 0)]


def test_the_next_click_after_an_overflow_is_whole_before_anything_is_lifted(rig: Rig) -> None:
    overflow(rig, key(LEFT), pos(1, 1))
    assert rig.send(key(LEFT), pos(300, 300), key(LEFT, 0), pos(300, 300)) == [
        keyed(LEFT, 0),
        at(604, 604) + keyed(LEFT, 1),
        keyed(LEFT, 0),
    ]


def test_a_button_whose_position_is_awaited_counts_for_a_full_ring(late: int) -> None:
    """Its slot is not published yet: 50 more entries are a full ring for the backend."""
    with Rig(grace=0.02) as rig:
        rig.send(key(LEFT))
        assert rig.backend.put(*(pos(n, n) for n in range(SLOTS))) == SLOTS - 1
        rig.ring.drain()
        rig.tablet.frames()
        wait_for(rig, rig.tablet.fileno(), late)
        assert rig.tablet.frames() == [keyed(LEFT, 0)]


def test_a_ring_with_one_free_slot_lost_nothing(rig: Rig) -> None:
    rig.backend.put(key(KEY_A), *(pos(n, n) for n in range(SLOTS - 2)))
    rig.ring.drain()
    rig.tablet.frames()
    with hang_up_in(2 * DOUBT) as soon:
        assert rig.ring.wait([soon, rig.tablet.fileno()]).ready == (soon,)
    assert rig.ring.counters()["full"] == 0


# ---- the owner's descriptors ----


def test_a_control_descriptor_is_heard_while_the_channel_keeps_firing(rig: Rig, late: int) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        for _ in range(100):
            rig.backend.fire(PORT)
        wait_for(rig, here.fileno(), late)
    assert rig.ring.counters()["wakeups"] < 10


def test_every_control_descriptor_that_is_ready_is_named(rig: Rig, late: int) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        rig.backend.put(pos(1, 1))
        controls = [late, here.fileno(), rig.tablet.fileno()]
        assert rig.ring.wait(controls) == Wakeup(tuple(controls[1:]), tick=False)


def test_a_signal_is_heard_through_its_wakeup_descriptor(rig: Rig, late: int) -> None:
    here, there = socket.socketpair()
    there.setblocking(False)
    handler = signal.signal(signal.SIGALRM, lambda *_: None)
    before = signal.set_wakeup_fd(there.fileno())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        wait_for(rig, here.fileno(), late)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGALRM, handler)
        here.close()
        there.close()


def test_more_control_descriptors_than_the_pump_can_answer_for_are_refused(rig: Rig) -> None:
    with pytest.raises(OSError) as caught:
        rig.ring.wait([0] * 9)
    assert caught.value.errno == errno.EINVAL


# ---- ticks ----


def test_a_tick_comes_once_after_work_and_never_when_idle() -> None:
    with Rig(tick=0.005) as rig, hang_up_in(10) as late:
        rig.backend.put(pos(1, 1), pos(2, 2))
        assert rig.ring.wait([late]) == Wakeup((), tick=True)
        with hang_up_in(0.05) as soon:
            assert rig.ring.wait([soon]) == Wakeup((soon,), tick=False)
        rig.backend.put(pos(3, 3))
        assert rig.ring.wait([late]) == Wakeup((), tick=True)


def test_a_tick_tells_of_an_overrun(late: int) -> None:
    with Rig(tick=0.005) as rig:
        rig.backend.prod += 1000
        assert rig.ring.wait([late]) == Wakeup((), tick=True)


def test_no_tick_comes_to_an_owner_who_asked_for_none(rig: Rig) -> None:
    rig.backend.put(pos(1, 1))
    with hang_up_in(0.02) as soon:
        assert rig.ring.wait([soon]) == Wakeup((soon,), tick=False)


# ---- what can fail ----


def test_an_output_that_is_gone_ends_the_wait_with_its_errno(rig: Rig, late: int) -> None:
    rig.tablet.close()
    rig.backend.put(pos(1, 1))
    with pytest.raises(BrokenPipeError, match=f"descriptor {rig.tablet_fd} "):
        rig.ring.wait([late])


def test_a_channel_that_hangs_up_ends_the_wait(rig: Rig, late: int) -> None:
    rig.backend.channel.close()
    with pytest.raises(BrokenPipeError, match=f"{rig.backend.guests_channel.fileno()} "):
        rig.ring.wait([late])


def test_a_channel_that_is_closed_ends_the_wait(late: int) -> None:
    with Rig() as rig:
        rig.backend.guests_channel.close()
        with pytest.raises(OSError) as caught:
            rig.ring.wait([late])
        assert caught.value.errno == errno.EBADF


def test_a_storm_that_brings_nothing_is_heard_about_once_a_millisecond(rig: Rig, late: int) -> None:
    firings = 200
    begun = time.monotonic()
    for _ in range(firings):
        rig.backend.fire(PORT)
        wait_for(rig, rig.backend.channel.fileno(), late)
        rig.backend.unmasked()
    # A hundred of them may be normal, the others take a millisecond each.
    assert time.monotonic() - begun >= (firings - 100) / 1000
    assert rig.ring.counters()["wakeups"] == firings
    rig.backend.put(key(KEY_A))
    rig.backend.fire(PORT)
    wait_for(rig, rig.tablet.fileno(), late)
    assert rig.tablet.frames() == [keyed(KEY_A, 1)]
