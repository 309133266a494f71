"""One vkbd device, from taking it to letting go: where a source and the devices meet."""

import logging
import os
import select
import signal
import time
from functools import partial

from xenabs import rundir
from xenabs.devices import keyboard, tablet, virtual
from xenabs.errors import XenabsError
from xenabs.sources.ring import Phase, RingSource
from xenabs.sources.share import Share
from xenabs.status import of_daemon
from xenabs.xen import bus
from xenabs.xen.bus import Device
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds after which events show in the state file."""

PATIENCE = 10.0
"""Seconds given to a backend to let go, and to another xenabs to end."""


class StopSignals:
    """SIGTERM and SIGINT as a descriptor: a select would sleep through the signal itself."""

    def __init__(self) -> None:
        self.asked = False
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def fileno(self) -> int:
        """Readable once a signal has come."""
        return self._read

    def _on_signal(self, number: int, _frame: object) -> None:
        log.info("%s: closing", signal.Signals(number).name)
        self.asked = True


def run(device: Device) -> None:
    """Be the device's frontend until SIGTERM or SIGINT, then close gracefully.

    Raises XenabsError if the device cannot be had, or its backend does not let go at the end.
    """
    stop = StopSignals()
    lock = rundir.DeviceLock(device.name)
    lock.take(PATIENCE)
    store = Store()
    with tablet.create() as pointer, keyboard.create() as keys:
        bus.take(store, device)
        source = RingSource(
            Frontend(store, device.path),
            virtual.output(pointer, tablet.CAPABILITIES),
            virtual.output(keys, keyboard.CAPABILITIES),
            partial(Share, path=device.path, lock=lock.fileno()),
            tick=TICK,
        )
        try:
            _serve(device, store, source, stop)
        except OSError as error:
            raise XenabsError(
                f"{device.name} can be served no longer ({error}): see dmesg, and start xenabs anew"
            ) from error
        finally:
            _close(device, store, source)
            rundir.remove_state(device.name)


def release(device: Device) -> None:
    """End the device's daemon, if it has one, and give the device to the kernel's driver.

    Raises XenabsError if either cannot be.
    """
    lock = rundir.DeviceLock(device.name)
    holder = lock.holder()
    if holder is not None:
        os.kill(holder, signal.SIGTERM)
    lock.take(2 * PATIENCE)
    bus.give_back(Store(), device)


def _serve(device: Device, store: Store, source: RingSource, stop: StopSignals) -> None:
    watches = Watches(store, source.frontend)
    changed = True
    while not stop.asked:
        if changed:
            store.watched()
            watches.follow()
            source.step()
            state = of_daemon(device, source)
        # After events only the counters are new: XenStore is not asked again for those.
        rundir.write_state(device.name, {**state, "counters": source.counters()})
        changed = store.fileno() in source.wait([store.fileno(), stop.fileno()]).ready


def _close(device: Device, store: Store, source: RingSource) -> None:
    source.close()
    deadline = time.monotonic() + PATIENCE
    source.step()
    while source.phase is not Phase.CLOSED and (left := deadline - time.monotonic()) > 0:
        select.select([store], [], [], left)
        store.watched()
        source.step()
    if not source.released:
        raise XenabsError(
            f"the backend of {device.name} does not let go (at {source.frontend.backend_state()}): "
            "a guardian process keeps the shared page until it does"
        )


class Watches:
    """Watches on both ends; the backend's directory can be another one after a while."""

    def __init__(self, store: Store, frontend: Frontend) -> None:
        self._store, self._frontend = store, frontend
        self._backend: str | None = None
        store.watch(frontend.path)

    def follow(self) -> None:
        """Watch the backend's directory of now."""
        path = self._frontend.backend_path()
        if path == self._backend:
            return
        if self._backend:
            self._store.unwatch(self._backend)
        if path:
            self._store.watch(path)
        self._backend = path
