"""One xenkbd ring: a shared page on one side, `struct input_event` on the other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from xenabs.geometry import Screen
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

REST = 0.5
"""Seconds without a position after which the screen is looked at before the next one.

A screen changes its size while the pointer rests, mostly: somebody types a command, or a program
starts. A position that comes later is then read by the new size, with certainty and not by what it
happens to fit.
"""

LOOK_INTERVAL = 0.05
"""Seconds between two looks at the screen that positions ask for which fit no size of it, at least.

A screen that has just changed is seen soon enough; a backend whose positions never fit costs twenty
looks a second while it sends some.
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
        look: Callable[[], Screen] | None = None,
        rest: float = REST,
        look_interval: float = LOOK_INTERVAL,
    ) -> None:
        """Start at ring index `start`, the tablet being at axis values `position`, `down` held.

        `channel_fd` gives ports (u32) that fired and takes those to unmask; `channel_port` is the
        local port that tells the backend of room in the ring, 0 tells it nothing. `grace` and
        `tick` are in seconds; a tick of 0 never comes. Raises ValueError if the page is of
        another size.

        `look` returns the screen as it is now. `wait` and `drain` call it before they translate the
        first position after `rest` seconds without one, and a raw position that fits no scale of
        the screen, the latter at most once in `look_interval` seconds; 0 is never, for either.
        Without `look` the screen stays what `set_screen` says.
        """
        self._look = look
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
        if look is not None:
            pump.rest_ns, pump.look_ns = round(rest * 1e9), round(look_interval * 1e9)
        lib.pump_init(pump, start)
        pump.x, pump.y = position
        _set_bits(pump.down, down)

    def speak_raw(self) -> None:
        """Positions are raw: 0..32767 for the whole screen, whatever its size."""
        self._pump.raw = 1

    def speak_pixels(self) -> None:
        """Positions are pixels of the screen that `set_screen` told of."""
        self._pump.raw = 0

    def set_screen(self, width: int, height: int, scales: Sequence[tuple[int, int]] = ()) -> None:
        """Set the screen's size in pixels, (0, 0) while it is not known.

        `scales` are the sizes, likeliest first, by which a backend may scale raw coordinates, as
        `xenabs.geometry.scales` gives them; without any, the range of raw coordinates is taken for
        the whole screen.
        """
        lib.pump_set_screen(self._pump, width, height, list(scales), len(scales))

    def scale(self) -> tuple[int, int] | None:
        """Return the size by which the backend scales, None until a position has told."""
        pump = self._pump
        if not pump.scale_known or not pump.scale_count:
            return None
        used = pump.scale[pump.scale_used]
        return used.width, used.height

    def wait(self, control: Sequence[int]) -> Wakeup:
        """Translate events until a descriptor of `control` is ready or a tick is due.

        Raises OSError when the event channel or an output fails.
        """
        answer = 0
        while not answer:
            answer = self._check(lib.pump_wait(self._pump, list(control), len(control)))
            answer = self._answer_look(answer)
        ready = tuple(fd for bit, fd in enumerate(control) if answer & 1 << bit)
        return Wakeup(ready, bool(answer & lib.PUMP_TICK))

    def drain(self) -> int:
        """Translate what the ring holds now; how many entries that was, 0 to 51.

        Raises OSError when an output fails.
        """
        count = self._check(lib.pump_drain(self._pump))
        while self._pump.look == lib.LOOK_ASKED:
            self._answer_look(lib.PUMP_LOOK)
            count += self._check(lib.pump_drain(self._pump))
        return count

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

    def _answer_look(self, answer: int) -> int:
        """Return pump_wait's answer without PUMP_LOOK; look at the screen if it had that."""
        if answer & lib.PUMP_LOOK and self._look is not None:
            self.set_screen(*self._look())
        return answer & ~int(lib.PUMP_LOOK)

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
