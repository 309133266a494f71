"""The source "ring": we are vkbd's frontend.

The handshake is a state machine over both ends' xenbus states. `step` looks at them, does what is
due, and is called again after each change of either directory:

    backend                  IDLE                OFFERED             CONNECTED
    Unknown, Initialising    frontend 1          wait                pause, back to OFFERED
    InitWait                 offer, frontend 3   wait                pause, back to OFFERED
    Initialised              frontend 5          wait                pause, back to OFFERED
    Connected                frontend 5          frontend 4, pump    pump
    Reconfiguring, -ed       frontend 5          wait                pause, back to OFFERED
    Closing                  frontend 6          withdraw, 6         withdraw, 6
    Closed                   frontend 1          withdraw, 6         withdraw, 6

IDLE under a connected backend is what a frontend that died leaves: the connection is closed first.
After our Closing of a connection InitWait counts as Closed: libxenbe's backends rest there.
A backend that falls back from Connected without closing was restarted. It finds the same page and
event channel again: what is offered is withdrawn at Closing and Closed only, since until then a
backend may still write to the page.

A process that takes over from one that died is given what that one shared. If the frontend's keys
still speak of it, it is OFFERED, and the ring goes on where it was; else it is kept until the
backend, asked to close, is seen not to use it. After a restore of the guest, what was shared before
is abandoned, and offered anew.
"""

import logging
import select
import sys
from collections.abc import Callable, Sequence
from enum import Enum

from xenabs.kbdif import nodes
from xenabs.kbdif.nodes import LETTING_GO, XenbusState
from xenabs.kbdif.ring import NOWHERE, PAGE_SIZE, Output, Ring, Wakeup
from xenabs.screen import GuestScreen
from xenabs.sources.share import Shared
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)


UNUSED = (
    XenbusState.INITIALISING,
    XenbusState.INIT_WAIT,
    XenbusState.CLOSING,
    XenbusState.CLOSED,
)
"""The backend's states in which it uses nothing, while we have not called it to anything."""

LATE_FEATURES_MAX = 3
"""How often a process connects once more for features that come late."""

SCREEN_LIMIT = 1 << 16
"""RFB, and with it every viewer, tells sizes in 16 bits."""


class Phase(Enum):
    """Where the handshake is."""

    IDLE = "idle"
    OFFERED = "offered"
    CONNECTED = "connected"
    CLOSING = "closing"
    CLOSED = "closed"


class RingSource:
    """One vkbd's ring, connected whenever its backend is there.

    `share` makes what is shared with a backend's domain. `tick` is in seconds, as `Ring` takes it.
    """

    def __init__(
        self,
        frontend: Frontend,
        tablet: Output,
        keyboard: Output,
        share: Callable[[int], Shared],
        *,
        adopted: Shared | None = None,
        position: tuple[int, int] = NOWHERE,
        down: frozenset[int] = frozenset(),
        tick: float = 0.0,
        initialise: Callable[[], None] | None = None,
    ) -> None:
        """Begin with what a process that died left: what it shared, and what is down.

        `initialise` sets the frontend's state to Initialising where the kernel must not notice
        (see `xenabs.xen.kernel_driver.initialise`).
        """
        self.frontend = frontend
        self.phase = Phase.IDLE
        self.raw = False
        self._screen = GuestScreen()
        self.connections = 0
        self._outputs = (tablet, keyboard)
        self._tick = tick
        self._make_share = share
        self._share = adopted
        self._adopted = adopted is not None
        self._ring: Ring | None = None
        self._past: dict[str, int] = {}
        self._position = position
        self._down = down
        self._initialise = initialise or (lambda: frontend.set_state(XenbusState.INITIALISING))
        self._absolute = frontend.read(nodes.REQUEST_ABS_POINTER) == "1"
        self._late_features = 0
        self._closes_connection = False
        self._stale_since: str | None = None
        if adopted is not None and self._in_use(adopted):
            self.raw = frontend.read(nodes.REQUEST_RAW_POINTER) == "1"
            self.phase = Phase.OFFERED
        else:
            self._let_go_of_keys()

    @property
    def released(self) -> bool:
        """Nothing of ours is shared any more."""
        return self._share is None

    @property
    def attached(self) -> bool:
        """Whether XenStore knows the device; the toolstack removes it when it is detached."""
        return self.frontend.backend_path() is not None

    def wait(self, control: Sequence[int], timeout: float | None = None) -> Wakeup:
        """Translate events while connected; until a descriptor of `control` is ready or a tick.

        While not connected wait `timeout` seconds at most, None for ever. Raises OSError when the
        event channel or a device fails.
        """
        if self._ring is not None and self.phase is Phase.CONNECTED:
            return self._ring.wait(control)
        return Wakeup(tuple(select.select(control, [], [], timeout)[0]), tick=False)

    @property
    def screen(self) -> tuple[int, int] | None:
        """The screen's size in pixels when it was last looked at; None if nothing told it."""
        return self._screen.size

    @property
    def scale(self) -> tuple[int, int] | None:
        """The size by which the backend scales raw coordinates; None until it is known."""
        return self._ring.scale() if self._ring is not None and self.raw else None

    def counters(self) -> dict[str, int]:
        """What the pump did, over all connections."""
        now = self._ring.counters() if self._ring else {}
        return {name: self._past.get(name, 0) + now.get(name, 0) for name in {**self._past, **now}}

    def step(self) -> None:
        """Do what the two ends' states ask for.

        Raises XenabsError if there can be no page or event channel, OSError if XenStore refuses.
        """
        if self._share is not None and self.frontend.was_restored(
            self._stale_since or self._share.domain
        ):
            log.info("the guest was restored: connecting anew")
            self._withdraw(abandon=True)
            self.phase = Phase.CLOSED if self.phase is Phase.CLOSING else Phase.IDLE
        while self._move(self.frontend.backend_state()):
            pass
        if self.phase is Phase.CONNECTED:
            self._look_for_late_features()

    def close(self) -> None:
        """Begin to close; `step` goes on until the phase is CLOSED."""
        self._pause()
        if self.phase is Phase.CLOSED:
            return
        if self.released and not self.attached:
            self.phase = Phase.CLOSED
            return
        self.phase = Phase.CLOSING
        backend = self.frontend.backend_state()
        self._closes_connection = backend is XenbusState.CONNECTED
        if backend not in LETTING_GO:
            self.frontend.set_state(XenbusState.CLOSING)

    def _move(self, backend: XenbusState) -> bool:
        """One step; whether another may be due without a change at the other end."""
        match self.phase:
            case Phase.IDLE:
                return self._approach(backend)
            case Phase.OFFERED if backend is XenbusState.CONNECTED:
                self._connect()
            case Phase.CONNECTED if backend not in (XenbusState.CONNECTED, *LETTING_GO):
                log.info("the backend is back at %s without closing: it was restarted", backend)
                self._pause()
                self.phase = Phase.OFFERED
            case Phase.OFFERED | Phase.CONNECTED if backend in LETTING_GO:
                log.info("the backend closes")
                self._withdraw()
                self.frontend.set_state(XenbusState.CLOSED)
                self.phase = Phase.IDLE
            case Phase.CLOSING if self._lets_go(backend):
                self._withdraw()
                self.frontend.set_state(XenbusState.CLOSED)
                if backend is not XenbusState.CLOSING:
                    self.phase = Phase.CLOSED
        return False

    def _lets_go(self, backend: XenbusState) -> bool:
        """Return True if the backend does not use the page of the connection that we close."""
        return backend in LETTING_GO or (
            self._closes_connection and backend is XenbusState.INIT_WAIT
        )

    def _approach(self, backend: XenbusState) -> bool:
        if backend in UNUSED:
            self._withdraw()
        match backend:
            case XenbusState.INIT_WAIT:
                self._offer()
                return True
            case XenbusState.CLOSING:
                self.frontend.set_state(XenbusState.CLOSED)
            case XenbusState.CLOSED if self.frontend.being_detached():
                log.info("the backend is about to be detached")
            case XenbusState.UNKNOWN | XenbusState.INITIALISING | XenbusState.CLOSED:
                self._initialise()
            case _:
                log.info("the backend is at %s of a former connection: closing that", backend)
                self.frontend.set_state(XenbusState.CLOSING)
        return False

    def _offer(self) -> None:
        self._absolute, self.raw = self._features()
        self._share = self._make_share(self.frontend.backend_id())
        self.frontend.change(
            {
                **self._share.keys(),
                nodes.REQUEST_ABS_POINTER: "1" if self._absolute else None,
                nodes.REQUEST_RAW_POINTER: "1" if self.raw else None,
                nodes.STATE: str(XenbusState.INITIALISED.value),
            }
        )
        self.phase = Phase.OFFERED
        domain = self.frontend.domain()
        if domain != self._share.domain or not self._share.is_current():
            # What the keys say is of the guest before it was restored, and a backend may go by it.
            log.info("the guest was restored while the page was shared: closing that")
            self._stale_since = domain
            self.frontend.set_state(XenbusState.CLOSING)

    def _features(self) -> tuple[bool, bool]:
        """Return whether the backend offers absolute coordinates, and raw ones."""
        absolute = self.frontend.offers(nodes.FEATURE_ABS_POINTER)
        return absolute, absolute and self.frontend.offers(nodes.FEATURE_RAW_POINTER)

    def _look_for_late_features(self) -> None:
        """Connect once more if the backend offers more than it did when it said InitWait.

        vGlass writes its features up to 300 ms after that.
        """
        absolute, raw = self._features()
        more = (absolute and not self._absolute) or (raw and not self.raw)
        if more and self._late_features < LATE_FEATURES_MAX:
            log.info("the backend offers more than before: connecting once more")
            self._late_features += 1
            self._pause()
            self.phase = Phase.IDLE
            self.frontend.set_state(XenbusState.CLOSING)

    def _connect(self) -> None:
        assert self._share is not None
        if self._ring is None:
            if self._adopted:
                self._share.unmask()
            self._ring = Ring(
                self._share.page,
                tablet=self._outputs[0],
                keyboard=self._outputs[1],
                channel_fd=self._share.channel_fd,
                channel_port=self._share.channel_port,
                start=int.from_bytes(self._share.page[:4], sys.byteorder),
                position=self._position,
                down=self._down,
                tick=self._tick,
                look=self._screen.look,
            )
            self._down = frozenset()
        self._screen.told = self._told_screen()
        if self.raw:
            self._ring.speak_raw()
        else:
            self._ring.speak_pixels()
        self._ring.set_screen(*self._screen.look())
        self.frontend.set_state(XenbusState.CONNECTED)
        self.phase = Phase.CONNECTED
        self.connections += 1
        log.info(
            "connected to %s, %s coordinates",
            self.frontend.backend_path(),
            "raw" if self.raw else "pixel",
        )

    def _told_screen(self) -> tuple[int, int] | None:
        """Return the screen's size as the backend's keys have it, None if they do not."""
        told = [self.frontend.read_backend(key) for key in (nodes.WIDTH, nodes.HEIGHT)]
        width, height = (int(text) if text and text.isdecimal() else 0 for text in told)
        if 0 < width < SCREEN_LIMIT and 0 < height < SCREEN_LIMIT:
            return width, height
        return None

    def _pause(self) -> None:
        """Lift what is down: nothing stays pressed while the backend is away."""
        if self._ring is not None:
            self._ring.release()
        else:
            self._let_go_of_keys()

    def _in_use(self, share: Shared) -> bool:
        """Whether the frontend's keys speak of it, for a backend to go by."""
        return (
            share.domain == self.frontend.domain()
            and self.frontend.state() in (XenbusState.INITIALISED, XenbusState.CONNECTED)
            and all(self.frontend.read(key) == text for key, text in share.keys().items())
        )

    def _let_go_of_keys(self) -> None:
        """Lift what an earlier process left down."""
        if not self._down:
            return
        tablet, keyboard = self._outputs
        page = bytearray(PAGE_SIZE)
        Ring(page, tablet=tablet, keyboard=keyboard, down=self._down).release()
        self._down = frozenset()

    def _withdraw(self, *, abandon: bool = False) -> None:
        self._pause()
        if self._ring is not None:
            self._past = self.counters()
            self._position = self._ring.position()
            self._ring.close()
            self._ring = None
        if self._share is not None:
            if abandon or self._stale_since is not None:
                self._share.abandon()
            else:
                self._share.close()
            self._share = None
            self._adopted = False
            self._stale_since = None
