"""The guardian's end: what it keeps, whom it serves, and what it does when nobody comes."""

import contextlib
import logging
import os
import select
import socket

from xenabs.errors import XenabsError
from xenabs.guardian import line
from xenabs.kbdif.nodes import LETTING_GO, XenbusState
from xenabs.service_manager import ServiceManager
from xenabs.sources.share import CHANNEL, GRANT, domain_of
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that the successor of a daemon which died has to call; a Python on a busy host needs a
few."""

HELD = "held."
"""What the name of a descriptor begins with that is held until the guest ends."""


class Keeper:
    """The descriptors that are kept for the frontend `path` ("device/vkbd/0")."""

    def __init__(self, path: str, kept: dict[str, int], manager: ServiceManager) -> None:
        """Begin with what a guardian that was killed had stored with the service manager."""
        self._path = path
        self._manager = manager
        self._held = {name: fd for name, fd in kept.items() if name.startswith(HELD)}
        self._kept = {name: fd for name, fd in kept.items() if name not in self._held}

    def guard(self, listener: socket.socket) -> None:
        """Serve one daemon after the other, until there is nothing to keep."""
        while self._kept or self._held or _calls(listener, 0):
            if _calls(listener, PATIENCE if self._kept else None):
                # A daemon may die as soon as it has called.
                with listener.accept()[0] as daemon, contextlib.suppress(ConnectionError):
                    self._serve(daemon)
            else:
                log.warning("no daemon comes for %s: closing its connection", self._path)
                if self._close_connection(listener):
                    log.warning("the connection of %s is closed", self._path)
                else:
                    _calls(listener, None)

    def _serve(self, daemon: socket.socket) -> None:
        line.send(daemon, [line.KEPT, *self._kept], list(self._kept.values()))
        while words := self._next_words(daemon):
            match words:
                case [line.DROP, name] if name in self._kept:
                    self._forget(name)
                case [line.HOLD, name] if name in self._kept:
                    self._hold(name)
                case [line.CLOSE] if not self._close_connection(daemon):
                    return
            line.send(daemon, [line.DONE])

    def _next_words(self, daemon: socket.socket) -> list[str]:
        words, fds = line.receive(daemon)
        match words:
            case [line.KEEP, name] if len(fds) == 1:
                if name in self._kept:
                    self._forget(name)
                self._kept[name] = fds[0]
                self._manager.store(name, fds[0])
            case _:
                line.close_all(fds)
        return words

    def _forget(self, name: str) -> None:
        self._manager.forget(name)
        os.close(self._kept.pop(name))

    def _hold(self, name: str) -> None:
        # The store knows a file by one name only.
        self._manager.forget(name)
        self._held[HELD + name] = fd = self._kept.pop(name)
        self._manager.store(HELD + name, fd)

    def _close_connection(self, caller: socket.socket) -> bool:
        """Lead both ends to Closed, as long as that takes, and forget all.

        False when that cannot be, or `caller` says something before.
        """
        shared = {name.split(".")[0]: name for name in self._kept}
        if GRANT in shared:
            try:
                if not self._lead_to_closed(shared.get(CHANNEL), caller):
                    return False
            except (XenabsError, OSError) as error:
                log.warning("the connection of %s cannot be closed: %s", self._path, error)
                return False
        for name in list(self._kept):
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


def _calls(listener: socket.socket, patience: float | None) -> bool:
    """Whether somebody calls within so many seconds."""
    return select.select([listener], [], [], patience)[0] != []
