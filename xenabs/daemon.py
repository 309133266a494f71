"""One vkbd device, from taking it to letting go: where a source and the devices meet."""

import contextlib
import logging
import os
import select
import signal
import time

from xenabs import rundir
from xenabs.devices import keyboard, tablet
from xenabs.errors import XenabsError
from xenabs.guardian.client import Guardian
from xenabs.service_manager import ServiceManager
from xenabs.sources.choice import choose
from xenabs.sources.ring import Phase, RingSource
from xenabs.sources.share import Share
from xenabs.status import of_daemon, of_events, summary
from xenabs.xen import bus
from xenabs.xen.bus import Device
from xenabs.xen.store import Store
from xenabs.xen.watches import Watches
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds after which events show in the state file."""

PATIENCE = 10.0
"""Seconds given to a backend to let go."""

SUCCESSION = 2.0
"""Seconds given to another xenabs that is about to end."""

TABLET, KEYBOARD = "tablet", "keyboard"
"""The names under which the guardian keeps the devices."""


class Signals:
    """What was asked for by signals, and the watchdog's clock, as a descriptor to wait on.

    A wait that is woken by the signal alone would go on after it (PEP 475).
    """

    def __init__(self, manager: ServiceManager) -> None:
        self.stop = False
        """SIGTERM or SIGINT: end, with nothing left shared."""
        self.hand_over = False
        """SIGHUP: end, and leave all to a next process."""
        self._manager = manager
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        if manager.watchdog_interval:
            signal.signal(signal.SIGALRM, self._on_clock)
            half = manager.watchdog_interval / 2
            signal.setitimer(signal.ITIMER_REAL, half, half)

    def fileno(self) -> int:
        """Readable once a signal has come."""
        return self._read

    def silence(self) -> None:
        """Stop the clock: at its end Python gives the signals back, and this one would kill it."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def heard(self) -> None:
        """Forget the signals that have come."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.stop |= number != signal.SIGHUP
        self.hand_over = not self.stop
        log.info("%s: %s", signal.Signals(number).name, "closing" if self.stop else "handing over")

    def _on_clock(self, _number: int, _frame: object) -> None:
        self._manager.alive()


class Devices:
    """The tablet and the keyboard, kept by the guardian: a crash does not end them."""

    def __init__(self, vkbd: str, guardian: Guardian) -> None:
        """Those of an earlier process, or new ones. Raises XenabsError if there can be none."""
        kept = guardian.kept
        self.tablet = tablet.adopt(kept[TABLET]) if TABLET in kept else tablet.create(vkbd)
        self.keyboard = (
            keyboard.adopt(kept[KEYBOARD]) if KEYBOARD in kept else keyboard.create(vkbd)
        )
        self._guardian = guardian
        guardian.keep(TABLET, self.tablet.output.fd)
        guardian.keep(KEYBOARD, self.keyboard.output.fd)

    def down(self) -> frozenset[int]:
        """The keys and buttons that are down."""
        return self.tablet.down() | self.keyboard.down()

    def close(self) -> None:
        """End both."""
        for name, device in ((TABLET, self.tablet), (KEYBOARD, self.keyboard)):
            self._guardian.drop(name)
            device.close()


def run(device: Device, wanted: str) -> bool:
    """Be the device's frontend until SIGTERM, SIGINT or its detachment, then close gracefully.

    `wanted` is a source's name, or "auto" (see `xenabs.sources.choice`).
    A process that follows one that crashed goes on with what that one shared; one that is told to
    hand over (SIGHUP) leaves it to the next, too. Returns whether another process is to be started:
    after that, and when the device was detached, for it may be there again by now. Raises
    XenabsError if the device cannot be had, or its backend does not let go at the end.
    """
    manager = ServiceManager()
    signals = Signals(manager)
    lock = rundir.DeviceLock(device.name)
    lock.take(SUCCESSION)
    guardian = Guardian(device.name)
    name, why = choose(wanted)
    log.info("source %s: %s", name, why)
    store = Store()
    devices = Devices(device.name, guardian)
    frontend = Frontend(store, device.path)
    source = RingSource(
        frontend,
        devices.tablet.output,
        devices.keyboard.output,
        lambda backend: Share.with_backend(backend, frontend.domain(), guardian),
        adopted=Share.adopt(guardian),
        position=devices.tablet.position(),
        down=devices.down(),
        tick=TICK,
    )
    try:
        _serve(device, store, source, guardian, signals, manager, why)
    except OSError as error:
        raise XenabsError(
            f"{device.name} can be served no longer ({error}): see dmesg, and start xenabs anew"
        ) from error
    finally:
        if not signals.hand_over:
            _close(device, store, source)
            rundir.remove_state(device.name)
            devices.close()
            guardian.dismiss()
        signals.silence()
    return not signals.stop


def release(device: Device) -> None:
    """End the device's daemon, if it has one, and give the device to the kernel's driver.

    Raises XenabsError if either cannot be.
    """
    lock = rundir.DeviceLock(device.name)
    holder = lock.holder()
    if holder is not None:
        os.kill(holder, signal.SIGTERM)
    lock.take(2 * PATIENCE)
    guardian = Guardian.running(device.name)
    if guardian is not None and not guardian.close_connection(PATIENCE):
        raise _does_not_let_go(device, Frontend(Store(), device.path))
    bus.give_back(Store(), device)


def _serve(
    device: Device,
    store: Store,
    source: RingSource,
    guardian: Guardian,
    signals: Signals,
    manager: ServiceManager,
    why: str,
) -> None:
    watches = Watches(store, source.frontend)
    changed = True
    while not (signals.stop or signals.hand_over):
        if changed:
            store.watched()
            if not source.attached:
                log.info("%s was detached", device.name)
                return
            if source.phase is Phase.IDLE:
                # One that was detached and attached again went to the kernel's driver first.
                bus.take(store, device)
            watches.follow()
            source.step()
            state = of_daemon(device, source, why)
            manager.status(summary(state))
            if source.phase is Phase.CONNECTED:
                manager.ready()
                watches.forget()
        # After events only these are new: XenStore is not asked again for them.
        rundir.write_state(device.name, {**state, **of_events(source)})
        waited_for = [store.fileno(), signals.fileno(), guardian.fileno()]
        ready = source.wait(waited_for).ready
        changed = store.fileno() in ready
        if guardian.fileno() in ready:
            log.warning("the guardian of %s is gone: another one takes its place", device.name)
            guardian.renew()
        signals.heard()


def _close(device: Device, store: Store, source: RingSource) -> None:
    source.close()
    deadline = time.monotonic() + PATIENCE
    source.step()
    while source.phase is not Phase.CLOSED and (left := deadline - time.monotonic()) > 0:
        select.select([store], [], [], left)
        store.watched()
        source.step()
    if not source.released:
        raise _does_not_let_go(device, source.frontend)


def _does_not_let_go(device: Device, frontend: Frontend) -> XenabsError:
    return XenabsError(
        f"the backend of {device.name} does not let go (at {frontend.backend_state()}): a guardian "
        "process keeps the shared page until it does"
    )
