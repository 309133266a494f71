"""The guardian's end: what it keeps, whom it serves, and what it does when nobody comes."""

import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import Callable, Iterator

from xenabs.errors import XenabsError
from xenabs.guardian import protocol
from xenabs.guardian.protocol import CHANNEL, GRANT, KEYBOARD, TABLET, domain_of
from xenabs.kbdif.nodes import LETTING_GO, XenbusState
from xenabs.service_manager import ServiceManager
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds without a working daemon after which the connection is closed; a Python on a busy host
needs a few to start."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two attempts at what was refused: doubled each time, up to the second."""

ANSWER = 20.0
"""Seconds that a daemon has to take an answer off its line."""

OWED = "owed"
"""The name of a descriptor that stands for a device which is still to be given back: it has the
next guardian do that, if this one is killed."""

HELD = "held."
"""What the name of a descriptor begins with that is held until the guest ends."""


def _nothing() -> None: ...


def _no_device() -> bool:
    return True


class Keeper:
    """Keeps the descriptors of the frontend `path` ("device/vkbd/0") while daemons come and go.

    `recover` sets right what a daemon may have left half done in the kernel. It is called at the
    start and each time a daemon's line breaks; it must be quick and harmless to repeat.
    `give_back` gives the device to the kernel's driver and returns True; or False if another
    process has the device's lock, and should do that itself. It is called after the connection was
    closed, and repeated after growing pauses until it returns True or a daemon calls. Both may
    raise XenabsError or OSError, which are logged.
    """

    def __init__(
        self,
        path: str,
        kept: dict[str, int],
        manager: ServiceManager,
        *,
        recover: Callable[[], None] = _nothing,
        give_back: Callable[[], bool] = _no_device,
    ) -> None:
        """Begin with what a guardian that was killed had stored with the service manager."""
        self._path = path
        self._manager = manager
        self._recover, self._give_back = recover, give_back
        self._held = {name: fd for name, fd in kept.items() if name.startswith(HELD)}
        self._kept = {name: fd for name, fd in kept.items() if name not in self._held}

    def guard(self, listener: socket.socket) -> None:
        """Serve one daemon after the other, until there is nothing to keep.

        Patience is counted from the end of the last daemon that did its work: that said "serving",
        or lived for as long as that. One that fails right after each start does not prolong it.
        """
        deadline = time.monotonic() + PATIENCE
        self._try(self._recover)
        while self._kept or self._held or _calls(listener, 0):
            if _calls(listener, max(0, deadline - time.monotonic()) if self._kept else None):
                if self._admit(listener):
                    deadline = time.monotonic() + PATIENCE
                self._try(self._recover)
            else:
                self._end(listener)

    def _admit(self, listener: socket.socket) -> bool:
        """Serve the daemon that calls until its line ends; return whether it did its work."""
        since, served, closed = time.monotonic(), False, False
        try:
            daemon, _ = listener.accept()
        except OSError as error:
            # As when it may open no more files: the daemon waits, and what is kept stays so.
            self._complain(error)
            time.sleep(FIRST_PAUSE)
            return False
        # A daemon may die as soon as it has called; one that takes no answer is as good as dead.
        with daemon, contextlib.suppress(ConnectionError, TimeoutError):
            daemon.settimeout(ANSWER)
            given = {name: fd for name, fd in self._kept.items() if name != OWED}
            protocol.send(daemon, [protocol.KEPT, *given], list(given.values()))
            while _says_something(daemon, listener):
                words, fds = protocol.receive(daemon)
                answer = self._obey(words, fds, daemon)
                if answer is None:
                    break
                served |= words == [protocol.SERVING]
                closed |= words == [protocol.CLOSE]
                protocol.send(daemon, [answer])
        if closed:
            self._hand_back(listener)
        return served or time.monotonic() - since >= PATIENCE

    def _obey(self, words: list[str], fds: list[int], daemon: socket.socket) -> str | None:
        """Do what a daemon asks for and return the answer; None if the line is to be closed."""
        match words:
            case []:
                return None
            case [protocol.KEEP, name] if len(fds) == 1:
                self._keep(name, fds[0])
                return protocol.DONE
        protocol.close_all(fds)
        match words:
            case [protocol.KEEP, *_]:
                log.warning("%s: no descriptor came with %r", self._path, " ".join(words))
                return protocol.REFUSED
            case [protocol.DROP, name] if name in self._kept:
                self._forget(name)
            case [protocol.HOLD, name] if name in self._kept:
                self._hold(name)
            case [protocol.SERVING] if OWED in self._kept:
                self._forget(OWED)
            case [protocol.CLOSE]:
                try:
                    return protocol.DONE if self._close_connection(daemon) else None
                except (XenabsError, OSError) as error:
                    self._complain(error)
                    return None
        return protocol.DONE

    def _keep(self, name: str, fd: int) -> None:
        if name in self._kept:
            self._forget(name)
        self._kept[name] = fd
        self._manager.store(name, fd)

    def _forget(self, name: str) -> None:
        self._manager.forget(name)
        os.close(self._kept.pop(name))

    def _hold(self, name: str) -> None:
        # The store knows a file by one name only.
        self._manager.forget(name)
        self._held[HELD + name] = fd = self._kept.pop(name)
        self._manager.store(HELD + name, fd)

    def _end(self, listener: socket.socket) -> None:
        """Close the connection and give the device back, until both are done or a daemon calls."""
        log.warning("no daemon comes for %s: closing its connection", self._path)
        for pause in _pauses():
            try:
                if not self._close_connection(listener):
                    return
                break
            except (XenabsError, OSError) as error:
                self._complain(error)
            if _calls(listener, pause):
                return
        log.warning("the connection of %s is closed", self._path)
        self._hand_back(listener)

    def _hand_back(self, listener: socket.socket) -> None:
        """Give the device to the kernel's driver, unless a daemon calls."""
        for pause in _pauses():
            if self._try(self._give_back):
                self._forget(OWED)
                return
            if _calls(listener, pause):
                return

    def _close_connection(self, caller: socket.socket) -> bool:
        """Lead both ends to Closed, as long as that takes, and forget all.

        The tablet and the keyboard go first: with its last descriptor the kernel removes a device,
        and lifts what is down on it. Return False when `caller` says something before the backend
        has let go: what it says is still to be read, and the page and the channel are still kept.
        Raises XenabsError or OSError if XenStore refuses; so they are then.
        """
        for name in (TABLET, KEYBOARD):
            if name in self._kept:
                self._forget(name)
        shared = {name.split(".")[0]: name for name in self._kept}
        if GRANT in shared and not self._lead_to_closed(shared.get(CHANNEL), caller):
            return False
        if OWED not in self._kept:
            self._keep(OWED, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        for name in self._kept.keys() - {OWED}:
            self._forget(name)
        return True

    def _lead_to_closed(self, channel: str | None, caller: socket.socket) -> bool:
        with contextlib.closing(Store()) as store:
            frontend = Frontend(store, self._path)
            for path in filter(None, (self._path, frontend.backend_path())):
                store.watch(path)
            while True:
                if channel and frontend.was_restored(domain_of(channel)):
                    self._hold(channel)
                    return True
                if frontend.backend_state() in LETTING_GO:
                    frontend.set_state(XenbusState.CLOSED)
                    return True
                frontend.set_state(XenbusState.CLOSING)
                ready, _, _ = select.select([store.fileno(), caller.fileno()], [], [])
                if caller.fileno() in ready:
                    return False
                store.watched()

    def _try(self, action: Callable[[], bool | None]) -> bool:
        """Return True unless the action fails, or says False."""
        try:
            return action() is not False
        except (XenabsError, OSError) as error:
            self._complain(error)
            return False

    def _complain(self, error: Exception) -> None:
        log.warning("%s: %s", self._path, error)


def _calls(listener: socket.socket, patience: float | None) -> bool:
    """Return whether a daemon calls within so many seconds."""
    return select.select([listener], [], [], patience)[0] != []


def _says_something(daemon: socket.socket, listener: socket.socket) -> bool:
    """Wait for a daemon's next word or its end; return False when another daemon calls instead.

    A daemon that calls has the device's lock. So the one of before has not, though it may hang.
    """
    return daemon in select.select([daemon, listener], [], [])[0]


def _pauses() -> Iterator[float]:
    """Yield the seconds between attempts: growing, never ending."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
