"""A pump that is killed with kill -9, and the next one of the same ring."""

import ctypes
import os
import platform
import signal
import struct
from collections.abc import Iterable, Iterator

import pytest
from evdev import ecodes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ring_model import (
    BUTTONS,
    KEY_A,
    KEY_B,
    KEYS,
    LEFT,
    RIGHT,
    SLOTS,
    SYN,
    U32,
    Event,
    Frame,
    Rig,
    at,
    hang_up_in,
    key,
    keyed,
    pos,
)

from xenabs.geometry import axis_from_raw
from xenabs.kbdif.ring import Output, Ring

PORT = 7
DOUBT = 0.25
"""Seconds after which the pump lifts what is in doubt."""
WRITE, IOCTL = {"x86_64": (1, 16), "aarch64": (64, 29)}[platform.machine()]
"""__NR_write and __NR_ioctl; the pump's only ioctl notifies the backend."""

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW = 0x80000000, 0x7FFF0000
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
FIRST_ARGUMENT = 16
"""Its place in struct seccomp_data."""

WRITTEN = slice(3072, 3076)
"""Where the page has the index up to which entries were written."""


def die_at(system_call: int, fd: int | None = None) -> None:
    """End this process at its next such call (seccomp(2)), of `fd`, before that does anything."""
    program = struct.pack("HBBI", LOAD_NUMBER, 0, 0, 0)
    if fd is None:
        program += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, system_call)
    else:
        program += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 3, system_call)
        program += struct.pack("HBBI", LOAD_NUMBER, 0, 0, FIRST_ARGUMENT)
        program += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, fd)
    program += struct.pack("HBBI", RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS)
    program += struct.pack("HBBI", RETURN, 0, 0, SECCOMP_RET_ALLOW)
    code = ctypes.create_string_buffer(program)
    filter_ = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    )
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0) == 0


def killed(rig: Rig, system_call: int, fd: int | None = None) -> bool:
    """Whether a process that drains the ring came to that call, and died there."""
    child = os.fork()
    if not child:
        try:
            die_at(system_call, fd)
            rig.ring.drain()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS


class Devices:
    """What the kernel makes of what was written to both devices (drivers/input/input.c).

    `events` are those that it passes on: a key's value that is no news is not among them, unless it
    is 2, nor is an axis's.
    """

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.axes = {ecodes.ABS_X: 0, ecodes.ABS_Y: 0}
        self.events: list[Event] = []

    def read(self, messages: Iterable[list[Event]]) -> None:
        for kind, code, value in (event for message in messages for event in message):
            if kind == ecodes.EV_ABS:
                if self.axes[code] == value:
                    continue
                self.axes[code] = value
            elif kind == ecodes.EV_KEY and value != 2:
                if (code in self.down) == bool(value):
                    continue
                (self.down.add if value else self.down.remove)(code)
            self.events.append((kind, code, value))

    def edges(self) -> list[tuple[int, int]]:
        """Presses and releases, in their order."""
        keys = [event for event in self.events if event[0] == ecodes.EV_KEY]
        return [(code, value) for _, code, value in keys if value != 2]


def next_ring(rig: Rig, devices: Devices) -> Ring:
    """The ring of the next process: it has the page, and asks the kernel for all else."""
    ring = Ring(
        rig.backend.page,
        tablet=Output(rig.tablet_fd, BUTTONS),
        keyboard=Output(rig.keyboard_fd, KEYS),
        start=rig.backend.cons,
        position=(devices.axes[ecodes.ABS_X], devices.axes[ecodes.ABS_Y]),
        down=devices.down,
        channel_fd=rig.backend.guests_channel.fileno(),
        channel_port=PORT,
        grace=0.0,
    )
    ring.speak_raw()
    return ring


POINTED = at(axis_from_raw(300), axis_from_raw(400))


@pytest.mark.parametrize(
    ("entries", "frames"),
    [
        ([key(KEY_A, 1), key(KEY_A, 0)], [keyed(KEY_A, 1), keyed(KEY_A, 0)]),
        (
            [key(KEY_A, 1), pos(300, 400), key(LEFT, 1), pos(300, 400), key(KEY_B, 1)],
            [keyed(KEY_A, 1), POINTED, keyed(LEFT, 1), keyed(KEY_B, 1)],
        ),
    ],
    ids=["one device", "both devices"],
)
def test_what_the_backend_has_room_for_again_was_written(
    entries: list[bytes], frames: list[Frame]
) -> None:
    """Found by the fault campaign: the hypercall that notifies has Xen run others for a while."""
    with Rig(channel_port=PORT) as rig:
        rig.backend.put(*entries)
        assert killed(rig, IOCTL)
        seen = rig.tablet.frames()
        assert seen == frames[: len(seen)]
        with Rig(start=rig.backend.cons) as following:
            following.backend.page[:] = rig.backend.page[:]
            following.ring.drain()
            assert seen + following.tablet.frames() == frames


def went_on(rig: Rig, devices: Devices, *entries: bytes) -> None:
    """A next process drains the ring, then once more with these entries."""
    devices.read(rig.tablet.messages())
    ring = next_ring(rig, devices)
    try:
        ring.drain()
        rig.backend.put(*entries)
        ring.drain()
        devices.read(rig.tablet.messages())
    finally:
        ring.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(channel_port=PORT) as rig:
        yield rig


@pytest.mark.parametrize("code", [LEFT, KEY_A])
def test_a_release_that_was_published_and_not_written_is_done_by_the_next_one(
    rig: Rig, code: int
) -> None:
    devices = Devices()
    rig.send(key(code), pos(1, 1))
    devices.down = {code}
    rig.backend.put(key(code, 0), pos(2, 2))
    fd = rig.tablet_fd if code == LEFT else rig.keyboard_fd
    assert killed(rig, WRITE, fd)
    assert rig.backend.cons != 2
    went_on(rig, devices)
    assert devices.edges() == [(code, 0)]
    assert devices.axes[ecodes.ABS_X] | 1 == axis_from_raw(2) | 1


def test_a_press_that_was_published_and_not_written_is_done_by_the_next_one(rig: Rig) -> None:
    devices = Devices()
    rig.backend.put(key(LEFT), pos(300, 400))
    assert killed(rig, WRITE, rig.tablet_fd)
    went_on(rig, devices, key(LEFT, 0), pos(300, 400))
    assert devices.events[:4] == [*POINTED, *keyed(LEFT, 1), SYN]
    assert devices.edges() == [(LEFT, 1), (LEFT, 0)]


def test_a_repeat_that_is_read_again_is_in_no_doubt(rig: Rig) -> None:
    """Found by a fuzzer: it became a release and a press."""
    devices = Devices()
    rig.send(key(KEY_A))
    devices.down = {KEY_A}
    rig.backend.put(key(KEY_B), key(KEY_A))
    assert killed(rig, WRITE, rig.keyboard_fd)
    went_on(rig, devices, key(KEY_A))
    keys = [event for event in devices.events if event != SYN]
    assert keys == [*keyed(KEY_B, 1), *keyed(KEY_A, 2), *keyed(KEY_A, 2)]


def test_what_was_written_and_not_noted_is_not_done_again(rig: Rig) -> None:
    devices = Devices()
    noted = rig.backend.page[WRITTEN]
    rig.backend.put(key(KEY_A), key(KEY_B), key(KEY_B, 0))
    assert killed(rig, IOCTL)
    rig.backend.page[WRITTEN] = noted
    went_on(rig, devices)
    assert devices.edges() == [(KEY_A, 1), (KEY_B, 1), (KEY_B, 0)]


def test_a_release_whose_slot_was_overwritten_since_is_lifted_in_a_moment(rig: Rig) -> None:
    devices = Devices()
    rig.send(key(KEY_A))
    devices.down = {KEY_A}
    rig.backend.put(key(KEY_A, 0))
    assert killed(rig, WRITE, rig.keyboard_fd)
    rig.backend.put(*(pos(n, n) for n in range(SLOTS)))
    ring = next_ring(rig, devices)
    while devices.down:
        ring.wait([rig.tablet.fileno()])
        devices.read(rig.tablet.messages())
    ring.close()
    assert devices.edges() == [(KEY_A, 0)]


def test_a_key_in_doubt_is_lifted_by_the_next_process(rig: Rig) -> None:
    devices = Devices()
    rig.backend.put(key(KEY_A), *(pos(n, n) for n in range(SLOTS)))
    rig.ring.drain()
    devices.read(rig.tablet.messages())
    ring = next_ring(rig, devices)
    while devices.down:
        ring.wait([rig.tablet.fileno()])
        devices.read(rig.tablet.messages())
    ring.close()


def test_a_button_held_by_hand_stays_down_over_a_kill(rig: Rig) -> None:
    devices = Devices()
    rig.send(key(LEFT), pos(1, 1))
    devices.down = {LEFT}
    rig.backend.put(*(pos(n, n) for n in range(SLOTS - 1)))
    assert killed(rig, WRITE, rig.tablet_fd)
    rig.backend.put(*(pos(n, n) for n in range(9)))
    went_on(rig, devices, pos(40, 40))
    assert devices.edges() == []


@pytest.mark.parametrize("noted", [0, 1, 7, U32, 2**31, -SLOTS])
def test_a_note_that_a_backend_forged_gains_it_nothing(rig: Rig, noted: int) -> None:
    """It can have its own last entries read again, and could as well write them again."""
    devices = Devices()
    rig.send(key(KEY_A), key(LEFT), pos(1, 1), key(LEFT, 0), pos(1, 1), key(KEY_A, 0))
    rig.backend.page[WRITTEN] = struct.pack("=I", noted & U32)
    rig.backend.page[3076:3080] = b"\xff" * 4
    went_on(rig, devices, key(RIGHT), pos(1, 1), key(RIGHT, 0), pos(1, 1))
    assert devices.down == set()
    assert devices.edges() == [(RIGHT, 1), (RIGHT, 0)]


# ---- killed anywhere, at random ----

entries = st.one_of(
    st.builds(pos, st.integers(0, 9), st.integers(0, 9), st.sampled_from([0, 0, 1])),
    st.builds(key, st.sampled_from([LEFT, RIGHT]), st.integers(0, 1)),
    st.builds(key, st.sampled_from([KEY_A, KEY_B]), st.integers(0, 1)),
)
batches = st.lists(entries, min_size=1, max_size=SLOTS - 1)
# Not over 2**32, where two indices share a slot.
starts = st.integers(0, U32 - 4 * SLOTS)
deaths = st.sampled_from(["tablet", "keyboard", "notify", "not noted"])


def pressed_by(all_entries: Iterable[bytes]) -> set[int]:
    """What is down after these entries."""
    down: set[int] = set()
    for entry in all_entries:
        if entry[0] == 3:
            (code,) = struct.unpack_from("=I", entry, 4)
            (down.add if entry[1] else down.discard)(code)
    return down


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},
)
@given(before=batches, during=batches, after=batches, death=deaths, start=starts)
def test_killed_anywhere_the_next_process_leaves_down_what_the_input_did(
    before: list[bytes], during: list[bytes], after: list[bytes], death: str, start: int
) -> None:
    devices = Devices()
    with Rig(start=start, channel_port=PORT, grace=0.0) as rig:
        rig.backend.page[WRITTEN] = struct.pack("=I", start)
        rig.backend.put(*before)
        rig.ring.drain()
        rig.backend.put(*during)
        noted = rig.backend.page[WRITTEN]
        match death:
            case "tablet":
                killed(rig, WRITE, rig.tablet_fd)
            case "keyboard":
                killed(rig, WRITE, rig.keyboard_fd)
            case "notify":
                killed(rig, IOCTL)
            case "not noted":
                killed(rig, IOCTL)
                rig.backend.page[WRITTEN] = noted
        devices.read(rig.tablet.messages())
        rig.backend.put(*after[: SLOTS - 1 - (rig.backend.prod - rig.backend.cons & U32)])
        written = rig.backend.prod - start & U32
        ring = next_ring(rig, devices)
        ring.drain()
        # Buttons that wait for a position are as good as told.
        rig.backend.put(pos(5, 5))
        ring.drain()
        devices.read(rig.tablet.messages())
        in_doubt = bool(ring._pump.doubt_ends)
        if in_doubt:
            with hang_up_in(2 * DOUBT) as soon:
                while soon not in ring.wait([soon, rig.tablet.fileno()]).ready:
                    devices.read(rig.tablet.messages())
        ring.close()
    sent = [*before, *during, *after][:written]
    assert devices.down <= pressed_by(sent)
    assert in_doubt or devices.down == pressed_by(sent)
    for code in (LEFT, RIGHT, KEY_A, KEY_B):
        presses = sum(entry[:8] == key(code)[:8] for entry in sent)
        assert devices.edges().count((code, 1)) <= presses, "done twice"
