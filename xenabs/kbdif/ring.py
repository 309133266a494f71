"""One xenkbd ring: a shared page on one side, `struct input_event` on the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from xenabs.kbdif._pump import ffi, lib

PAGE_SIZE: int = lib.KBDIF_PAGE_SIZE
"""Bytes of the shared page."""

GRACE = 0.25
"""Seconds that a button at the end of a batch waits for its position, at most.

QEMU writes the button before the position of the same pointer message, as two entries. What lies
between the two is the host's scheduling: Xen's credit scheduler lets each of the others run for
30 ms, and one millisecond was seen to be too short on a busy host. Nobody waits for long in vain:
after a button that no position followed the pump waits for a millisecond only, until one does
again.
"""


NOWHERE = (-1, -1)
"""The position of a tablet that nothing was written to yet."""


@dataclass(frozen=True)
class Output:
    """A descriptor that takes `struct input_event`, and the key codes its device declares."""

    fd: int
    keys: frozenset[int]


@dataclass(frozen=True)
class Wakeup:
    """Why `Ring.wait` came back."""

    ready: tuple[int, ...]
    """The control descriptors that can be read."""
    tick: bool
    """Events have been translated since the last tick."""


class Ring:
    """Reads one ring through the compiled pump.

    `page` is a writable buffer of PAGE_SIZE bytes that stays valid until `close`. One thread at a
    time: `wait` lets go of the interpreter lock.
    """

    def __init__(
        self,
        page: Any,
        *,
        tablet: Output,
        keyboard: Output,
        channel_fd: int = -1,
        channel_port: int = 0,
        start: int = 0,
        position: tuple[int, int] = NOWHERE,
        down: Iterable[int] = (),
        grace: float = GRACE,
        tick: float = 0.0,
    ) -> None:
        """Start at ring index `start`, the tablet being at axis values `position`, `down` held.

        `start` is what in_cons says and `down` what the kernel says: the first drain finds out by
        them what an earlier process left undone when it was killed (`resume` in pump.c).
        `channel_fd` gives ports (u32) that fired and takes those to unmask; `channel_port` is the
        local port that tells the backend of room in the ring, 0 tells it nothing. `grace` and
        `tick` are in seconds; a tick of 0 never comes. Raises ValueError if the page is of
        another size.
        """
        self._page = ffi.from_buffer(page, require_writable=True)
        if len(self._page) != PAGE_SIZE:
            raise ValueError(f"a ring's page has {PAGE_SIZE} bytes, not {len(self._page)}")
        pump = self._pump = ffi.new("struct pump *")
        pump.page = ffi.cast("uint8_t *", self._page)
        pump.tablet_fd, pump.keyboard_fd = tablet.fd, keyboard.fd
        _set_bits(pump.tablet_keys, tablet.keys)
        _set_bits(pump.keyboard_keys, keyboard.keys)
        pump.channel_fd, pump.channel_port = channel_fd, channel_port
        pump.grace_ns, pump.tick_ns = round(grace * 1e9), round(tick * 1e9)
        lib.pump_init(pump, start)
        pump.x, pump.y = position
        _set_bits(pump.down, down)

    def speak_raw(self) -> None:
        """Positions are raw: 0..32767 for the whole screen, whatever its size."""
        self._pump.raw = 1

    def speak_pixels(self) -> None:
        """Positions are pixels of the screen that `set_screen` told of."""
        self._pump.raw = 0

    def set_screen(self, width: int, height: int) -> None:
        """Size of the screen in pixels; (0, 0) while it is not known."""
        self._pump.width, self._pump.height = width, height

    def wait(self, control: Sequence[int]) -> Wakeup:
        """Translate events until a descriptor of `control` is ready or a tick is due.

        Raises OSError when the event channel or an output fails.
        """
        answer = self._check(lib.pump_wait(self._pump, list(control), len(control)))
        ready = tuple(fd for bit, fd in enumerate(control) if answer & 1 << bit)
        return Wakeup(ready, bool(answer & lib.PUMP_TICK))

    def drain(self) -> int:
        """Translate what the ring holds now; how many entries that was, 0 to 51.

        Raises OSError when an output fails.
        """
        return self._check(lib.pump_drain(self._pump))

    def release(self) -> None:
        """Let go of every key and button that is down. Raises OSError when an output fails."""
        self._check(lib.pump_release(self._pump))

    def position(self) -> tuple[int, int]:
        """The axis values written last, for the next ring of the same tablet."""
        return self._pump.x, self._pump.y

    def counters(self) -> dict[str, int]:
        """What happened so far, by the names of `struct pump_counters` in pump.h."""
        counters = self._pump.counters
        return {name: getattr(counters, name) for name in COUNTERS}

    def close(self) -> None:
        """Stop using the page."""
        self._pump = ffi.NULL
        ffi.release(self._page)

    def _check(self, answer: int) -> int:
        if answer < 0:
            raise OSError(-answer, f"descriptor {self._pump.failed_fd} of the pump")
        return answer


COUNTERS: tuple[str, ...] = tuple(
    name for name, _ in ffi.typeof("struct pump_counters").fields or ()
)
"""The names of the counters, in the order of pump.h."""


def _set_bits(bitmap: Any, codes: Iterable[int]) -> None:
    for code in codes:
        bitmap[code // 8] |= 1 << code % 8
