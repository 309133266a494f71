"""The pump's neighbours, for tests: a backend, a reader, and a model of what comes between them.

Nothing here is taken from pump.c. The page is laid out as Xen's header xen/io/kbdif.h says; the
translation is the contract of the pump, told a second time and in another way.
"""

import contextlib
import itertools
import mmap
import os
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evdev import ecodes

from xenabs.kbdif.ring import Output, Ring

SLOTS, SLOT_BYTES, SLOTS_AT, CONS_AT, PROD_AT = 51, 40, 1024, 0, 4
U32 = 0xFFFFFFFF
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
MOTION, KEY, POS = 1, 3, 4

KEY_A, KEY_B, LAST_CODE = ecodes.KEY_A, ecodes.KEY_B, ecodes.KEY_MAX
LEFT, RIGHT, MIDDLE = ecodes.BTN_LEFT, ecodes.BTN_RIGHT, ecodes.BTN_MIDDLE
BUTTONS = frozenset({LEFT, RIGHT, MIDDLE, ecodes.BTN_SIDE, ecodes.BTN_EXTRA})
KEYS = frozenset({KEY_A, KEY_B, ecodes.KEY_LEFTSHIFT, LAST_CODE})

Event = tuple[int, int, int]
"""Type, code, value."""
Frame = tuple[Event, ...]
"""The events up to a SYN_REPORT, without it."""
SYN = (ecodes.EV_SYN, ecodes.SYN_REPORT, 0)


# ---- what a backend writes ----


def pos(x: int, y: int, rel_z: int = 0) -> bytes:
    return struct.pack("=B3xiii24x", POS, x, y, rel_z)


def motion(dx: int, dy: int, rel_z: int = 0) -> bytes:
    return struct.pack("=B3xiii24x", MOTION, dx, dy, rel_z)


def key(code: int, pressed: int = 1) -> bytes:
    return struct.pack("=BB2xI32x", KEY, pressed, code)


# ---- what a reader sees ----


def at(x: int, y: int) -> Frame:
    return (ecodes.EV_ABS, ecodes.ABS_X, x), (ecodes.EV_ABS, ecodes.ABS_Y, y)


def keyed(code: int, value: int) -> Frame:
    return ((ecodes.EV_KEY, code, value),)


def wheel(steps: int) -> Frame:
    return ((ecodes.EV_REL, ecodes.REL_WHEEL, steps),)


def events_of(data: bytes) -> list[Event]:
    return [event[2:] for event in struct.iter_unpack("llHHi", data)]


def frames_of(events: Iterable[Event]) -> list[Frame]:
    frames: list[Frame] = []
    begun: list[Event] = []
    for event in events:
        if event == SYN:
            frames.append(tuple(begun))
            begun = []
        else:
            begun.append(event)
    assert not begun, "a frame without its SYN_REPORT"
    return frames


# ---- the neighbours ----


class Backend:
    """Writes as QEMU does: both indices run freely, a full ring refuses the newest entry."""

    def __init__(self, start: int = 0) -> None:
        self.page = mmap.mmap(-1, 4096)
        self.slots = [bytes(SLOT_BYTES)] * SLOTS
        self.cons = self.prod = start
        # A message of ports is one firing; what comes back unmasks.
        self.channel, self.guests_channel = socket.socketpair(type=socket.SOCK_SEQPACKET)

    @property
    def cons(self) -> int:
        return self._word(CONS_AT)

    @cons.setter
    def cons(self, index: int) -> None:
        struct.pack_into("=I", self.page, CONS_AT, index & U32)

    @property
    def prod(self) -> int:
        return self._word(PROD_AT)

    @prod.setter
    def prod(self, index: int) -> None:
        struct.pack_into("=I", self.page, PROD_AT, index & U32)

    def _word(self, offset: int) -> int:
        (word,) = struct.unpack_from("=I", self.page, offset)
        return int(word)

    def put(self, *entries: bytes) -> int:
        """Write what there is room for; how many entries that was."""
        for done, entry in enumerate(entries):
            if self.prod - self.cons & U32 == SLOTS:
                return done
            slot = self.prod % SLOTS
            self.slots[slot] = entry
            struct.pack_into("=40s", self.page, SLOTS_AT + slot * SLOT_BYTES, entry)
            self.prod += 1
        return len(entries)

    def waiting(self, cons: int) -> list[bytes]:
        """The entries that a guest which has read up to `cons` finds now."""
        count = self.prod - cons & U32
        return [self.slots[(cons + i & U32) % SLOTS] for i in range(count)]

    def fire(self, *ports: int) -> None:
        self.channel.send(struct.pack(f"={len(ports)}I", *ports))

    def unmasked(self) -> tuple[int, ...]:
        """The ports of the next message that unmasks."""
        assert select.select([self.channel], [], [], 10)[0], "nothing is unmasked"
        data = self.channel.recv(4096)
        return struct.unpack(f"={len(data) // 4}I", data)

    def close(self) -> None:
        self.channel.close()
        self.guests_channel.close()
        self.page.close()


class Reader:
    """The far end of an output: one write(2) is one message."""

    def __init__(self) -> None:
        self._here, self.output = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._here.setblocking(False)

    def fileno(self) -> int:
        return self._here.fileno()

    def messages(self) -> list[list[Event]]:
        got = []
        with contextlib.suppress(BlockingIOError):
            while data := self._here.recv(1 << 16):
                got.append(events_of(data))
        return got

    def frames(self) -> list[Frame]:
        return [frame for message in self.messages() for frame in frames_of(message)]

    def close(self) -> None:
        self._here.close()
        self.output.close()


class Rig:
    """A backend, a Ring, and readers of its tablet and its keyboard.

    `together` puts both devices on one reader, which then sees the order of all writes.
    """

    def __init__(
        self,
        *,
        start: int = 0,
        buttons: Iterable[int] = BUTTONS,
        keys: Iterable[int] = KEYS,
        together: bool = True,
        **options: Any,
    ) -> None:
        self.backend = Backend(start)
        self.tablet = Reader()
        self.keyboard = self.tablet if together else Reader()
        self.tablet_fd = os.dup(self.tablet.output.fileno())
        self.keyboard_fd = os.dup(self.keyboard.output.fileno())
        self.ring = Ring(
            self.backend.page,
            tablet=Output(self.tablet_fd, frozenset(buttons)),
            keyboard=Output(self.keyboard_fd, frozenset(keys)),
            channel_fd=self.backend.guests_channel.fileno(),
            start=start,
            **options,
        )
        self.ring.speak_raw()

    def send(self, *entries: bytes) -> list[Frame]:
        """One batch; the frames that the reader of the tablet has now."""
        assert self.backend.put(*entries) == len(entries)
        self.ring.drain()
        return self.tablet.frames()

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self.ring.close()
        self.backend.close()
        self.tablet.close()
        self.keyboard.close()
        os.close(self.tablet_fd)
        os.close(self.keyboard_fd)


@contextlib.contextmanager
def hang_up_in(seconds: float) -> Iterator[int]:
    """A descriptor that becomes readable so much later."""
    here, there = socket.socketpair()
    timer = threading.Timer(seconds, there.close)
    timer.start()
    try:
        yield here.fileno()
    finally:
        timer.cancel()
        timer.join()
        here.close()
        there.close()


# ---- the model ----


@dataclass(frozen=True)
class _Step:
    """A frame before it is known what its axes held last."""

    device: str
    place: tuple[int, int] | None = None
    keys: tuple[tuple[int, int], ...] = ()
    rolled: int = 0
    stroke: bool = False

    @property
    def events(self) -> int:
        """With the SYN_REPORT."""
        return 2 * (self.place is not None) + len(self.keys) + (self.rolled != 0) + 1

    @property
    def only_moves(self) -> bool:
        return self.place is not None and not self.keys and not self.rolled


ROOM = {"tablet": 126, "keyboard": 63}
"""Events that a reader which stands still has room for."""


def _thinned(steps: list[_Step]) -> list[_Step]:
    """Without as many points of strokes, evenly, as there is no room for; no end of a stroke."""
    spare = [
        i
        for i, (step, following) in enumerate(itertools.pairwise(steps))
        if step.stroke and step.only_moves and following.only_moves
    ]
    over = sum(step.events for step in steps if step.device == "tablet") - ROOM["tablet"]
    if over <= 0:
        return steps
    kept = max(len(spare) - -(-over // 3), 0)
    stay = {-(-turn * len(spare) // kept) - 1 for turn in range(1, kept + 1)}
    gone = {i for turn, i in enumerate(spare) if turn not in stay}
    return [step for i, step in enumerate(steps) if i not in gone]


def _apart(value: int, last: int) -> int:
    return value ^ 1 if value == last else value


def _clamped(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


class Model:
    """The contract of the pump. A batch of entries gives runs: a device, and its frames."""

    def __init__(self, buttons: Iterable[int] = BUTTONS, keys: Iterable[int] = KEYS) -> None:
        self.buttons, self.keys = frozenset(buttons), frozenset(keys)
        self.raw = True
        self.screen = (0, 0)
        self.axes = (-1, -1)
        self.down: set[int] = set()
        self.pending: dict[int, int] = {}
        self.again: list[int] = []
        self.doubted: set[int] = set()
        self.counters: Counter[str] = Counter()

    def lost_some(self) -> None:
        """The ring was full: what is down now may have been released meanwhile."""
        self.counters["full"] += 1
        self.doubted = set(self.down)

    def batch(self, entries: Iterable[bytes]) -> list[tuple[str, list[Frame]]]:
        steps: list[_Step] = []
        for entry in entries:
            self.counters["entries"] += 1
            kind, pressed = entry[0], entry[1] != 0
            first, second, rel_z = struct.unpack_from("=iii", entry, 4)
            if kind == POS:
                self._position(steps, first, second, rel_z)
            elif kind == MOTION:
                self._motion(steps, first, second, rel_z)
            elif kind == KEY:
                self._key(steps, first & U32, pressed)
            else:
                self.counters["ignored"] += 1
        return self._runs(steps)

    def release(self) -> list[tuple[str, list[Frame]]]:
        steps: list[_Step] = []
        self._alone(steps)
        for code in self.down:
            steps.append(_Step(self._device(code), keys=((code, 0),)))
        self.down.clear()
        self.doubted.clear()
        return self._runs(steps)

    def overrun(self) -> list[tuple[str, list[Frame]]]:
        self.counters["overruns"] += 1
        return self.release()

    def _device(self, code: int) -> str:
        return "tablet" if code in self.buttons else "keyboard"

    def _position(self, steps: list[_Step], x: int, y: int, rel_z: int) -> None:
        self.counters["positions"] += 1
        place = None
        if self.raw:
            limits = (32767, 32767)
            place = _clamped(2 * x + 4, 0, 65532), _clamped(2 * y + 4, 0, 65532)
        elif all(self.screen):
            limits = (self.screen[0] - 1, self.screen[1] - 1)
            place = self._centre((x, y))
        if place is None:
            self.counters["ignored"] += 1
        elif not (0 <= x <= limits[0] and 0 <= y <= limits[1]):
            self.counters["clamped"] += 1
        self._pointer(steps, place, rel_z)

    def _motion(self, steps: list[_Step], dx: int, dy: int, rel_z: int) -> None:
        self.counters["motions"] += 1
        place = None
        if (dx, dy) != (0, 0):
            if all(self.screen):
                x, y = (
                    # A tablet that has not been anywhere yet is in the middle.
                    (size - 1) // 2 if axis < 0 else axis * size // 65534
                    for axis, size in zip(self._here(steps), self.screen, strict=True)
                )
                place = self._centre((x + dx, y + dy))
            else:
                self.counters["ignored"] += 1
        self._pointer(steps, place, rel_z)

    def _centre(self, pixel: tuple[int, int]) -> tuple[int, int]:
        x, y = (
            (2 * _clamped(p, 0, size - 1) + 1) * 65534 // (2 * size)
            for p, size in zip(pixel, self.screen, strict=True)
        )
        return x, y

    def _key(self, steps: list[_Step], code: int, pressed: bool) -> None:
        self.counters["keys"] += 1
        was_down = code in self.down
        if code in self.buttons:
            if not pressed and not was_down:
                return
            if code in self.pending:
                self._alone(steps)
            self.pending[code] = int(pressed)
            if pressed and was_down:
                self.again.append(code)
        elif code in self.keys:
            self._alone(steps)
            if not pressed and not was_down:
                return
            if pressed and code in self.doubted:
                steps.append(_Step("keyboard", keys=((code, 0),)))
                was_down = False
            value = 2 if pressed and was_down else int(pressed)
            steps.append(_Step("keyboard", keys=((code, value),)))
        else:
            self.counters["refused"] += 1
            return
        self.doubted.discard(code)
        (self.down.add if pressed else self.down.discard)(code)

    def _alone(self, steps: list[_Step]) -> None:
        if self.pending:
            self._pointer(steps, None, 0)

    def _pointer(self, steps: list[_Step], place: tuple[int, int] | None, rel_z: int) -> None:
        if not -127 <= rel_z <= 127:
            self.counters["clamped"] += 1
        if place and any(step.place for step in steps):
            here = self._here(steps)
            if (place[0] // 2, place[1] // 2) == (here[0] // 2, here[1] // 2):
                place = None
        stroke = bool(self.down & self.buttons)
        if self.again:
            steps.append(_Step("tablet", keys=tuple((code, 0) for code in self.again)))
        step = _Step("tablet", place, tuple(self.pending.items()), stroke=stroke)
        self.pending.clear()
        self.again.clear()
        if step.only_moves and not stroke and steps and steps[-1].only_moves:
            steps.pop()
        if step.place or step.keys:
            steps.append(step)
        if rel_z:
            steps.append(_Step("tablet", rolled=_clamped(-rel_z, -127, 127)))

    def _here(self, steps: list[_Step]) -> tuple[int, int]:
        """Where the pointer is after these steps."""
        return next((step.place for step in reversed(steps) if step.place), self.axes)

    def _runs(self, steps: list[_Step]) -> list[tuple[str, list[Frame]]]:
        runs = []
        steps = _thinned(steps)
        crowded = 2 * sum(step.device == "keyboard" for step in steps) > ROOM["keyboard"]
        for device, run in itertools.groupby(steps, lambda step: step.device):
            frames = []
            for step in run:
                frame: Frame = ()
                if step.place:
                    self.axes = (
                        _apart(step.place[0], self.axes[0]),
                        _apart(step.place[1], self.axes[1]),
                    )
                    frame += at(*self.axes)
                for code, value in step.keys:
                    frame += keyed(code, value)
                if step.rolled:
                    frame += wheel(step.rolled)
                frames.append(frame)
            if device == "keyboard" and crowded:
                # A frame of a device without axes holds seven values.
                frames = [
                    tuple(event for frame in frames[i : i + 7] for event in frame)
                    for i in range(0, len(frames), 7)
                ]
            self.counters["frames"] += len(frames)
            self.counters["events"] += sum(len(frame) + 1 for frame in frames)
            runs.append((device, frames))
        return runs
