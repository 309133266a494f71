"""One vkbd, from its appearance to its removal: where a source and the devices meet.

Whatever ends this process, somebody has a pointer and a keyboard: the device is given back to the
kernel's driver at the end, and if this process is killed, the next one or the guardian does that.
"""

import contextlib
import logging
import os
import signal
import time
from typing import Any

from xenabs import rundir
from xenabs.devices import keyboard, tablet
from xenabs.errors import XenabsError
from xenabs.guardian.client import Guardian
from xenabs.guardian.protocol import KEYBOARD, TABLET
from xenabs.kbdif.nodes import XenbusState
from xenabs.service_manager import ServiceManager, Watchdog
from xenabs.sources.choice import choose
from xenabs.sources.ring import Phase, RingSource
from xenabs.sources.share import Share
from xenabs.status import of_daemon, of_screen, summary
from xenabs.xen import autoprobe, bus, kernel_driver, requirements
from xenabs.xen.bus import Device
from xenabs.xen.store import Store
from xenabs.xen.watches import Watches
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds after which events show in the counters' file."""

PATIENCE = 10.0
"""Seconds given to a backend to let go."""

SUCCESSION = 5.0
"""Seconds given to another process of xenabs that is about to end or gives the device back."""

RELEASE_PATIENCE = PATIENCE + kernel_driver.LIMIT
"""Seconds given to a daemon to close its connection and to give the device back."""

READY_AFTER = 3.0
"""Seconds after which the service manager is told that the service runs, though no backend has
answered: a boot must not wait for one."""

DISPUTES_MAX = 3
"""How often the device is taken again from a driver that was bound to it while we had it."""


class Signals:
    """What was asked for by signals, as a descriptor to wait on, which any signal makes readable.

    A wait that is woken by the signal alone would go on after it (PEP 475).
    """

    def __init__(self) -> None:
        self.stop = False
        """SIGTERM or SIGINT: end, with nothing left shared."""
        self.hand_over = False
        """SIGHUP: end, and leave all to a next process. SIGABRT, by which systemd's watchdog ends
        a service: after a pause of the guest that was longer than its interval it cannot know that
        all is well. One that hangs does not come to this, and is killed (TimeoutAbortSec=)."""
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT):
            signal.signal(number, self._on_signal)

    def fileno(self) -> int:
        """Readable once a signal has come."""
        return self._read

    def heard(self) -> None:
        """Forget the signals that have come."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.stop |= number in (signal.SIGTERM, signal.SIGINT)
        self.hand_over = not self.stop
        log.info("%s: %s", signal.Signals(number).name, "closing" if self.stop else "handing over")


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


class Daemon:
    """What serves one vkbd: its source, its devices, its guardian."""

    def __init__(
        self,
        device: Device,
        wanted: str,
        manager: ServiceManager,
        signals: Signals,
        watchdog: Watchdog,
    ) -> None:
        """Make all that is needed, before the device is taken. Raises XenabsError if that fails.

        A process that follows one that crashed goes on with what that one shared.
        """
        self._device = device
        self._manager, self._signals, self._watchdog = manager, signals, watchdog
        requirements.require()
        name, self._why = choose(wanted)
        log.info("source %s: %s", name, self._why)
        self._store = Store()
        self._frontend = Frontend(self._store, device.path)
        self._guardian = Guardian(device.name)
        try:
            self._devices = Devices(device.name, self._guardian)
            adopted = Share.adopt(self._guardian)
        except BaseException:
            self._guardian.dismiss()
            raise
        self._source = RingSource(
            self._frontend,
            self._devices.tablet.output,
            self._devices.keyboard.output,
            lambda backend: Share.with_backend(backend, self._frontend.domain(), self._guardian),
            adopted=adopted,
            position=self._devices.tablet.position(),
            down=self._devices.down(),
            tick=TICK,
            initialise=self._initialise,
        )
        self._taken = adopted is not None
        self._disputes = 0
        self._ready_at: float | None = time.monotonic() + READY_AFTER

    @property
    def attached(self) -> bool:
        """Return True while XenStore has the device."""
        return self._source.attached

    def serve(self) -> None:
        """Serve the device until a signal comes or the toolstack removes it.

        Raises XenabsError if it cannot be served any longer, OSError if XenStore refuses.
        """
        watches = Watches(self._store, self._frontend)
        changed = True
        shown: dict[str, Any] = {}
        while not (self._signals.stop or self._signals.hand_over):
            self._watchdog.beat()
            if changed:
                self._store.watched()
                if not self.attached:
                    log.info("%s was detached", self._device.name)
                    return
                watches.follow()
                self._advance()
                state = of_daemon(self._device, self._source, self._why)
                self._manager.status(summary(state))
                if self._source.phase is Phase.CONNECTED:
                    self._guardian.serving()
                    self._tell_ready()
                    watches.forget()
            # After events only these are new: XenStore is not asked again for them.
            screen = of_screen(self._source)
            if changed or screen != shown:
                rundir.write_state(self._device.name, {**state, **screen})
                shown = screen
            rundir.write_counters(self._device.name, self._source.counters())
            changed = self._wait()

    def end(self) -> None:
        """Close the connection, and give the device back to the kernel's driver.

        Raises XenabsError if the backend does not let go, or the driver does not connect. The
        guardian then keeps the page, and gives the device back as soon as that is possible.
        """
        try:
            if self._taken:
                self._close()
            kernel_driver.leave(self._store, self._device)
        except PermissionError:
            if self.attached:
                raise
            log.info("%s was detached without being closed", self._device.name)
        finally:
            rundir.remove_state(self._device.name)
            self._devices.close()
            self._guardian.dismiss()

    def _advance(self) -> None:
        """Do what is due after a change at either end."""
        if self._source.phase is not Phase.IDLE:
            if self._device.driver() is not None:
                self._dispute()
        elif not kernel_driver.take(self._store, self._device):
            return
        self._taken = True
        self._source.step()

    def _dispute(self) -> None:
        """Have the connection closed: the kernel has bound its driver to our device."""
        self._disputes += 1
        if self._disputes > DISPUTES_MAX:
            raise XenabsError(
                f"the kernel binds its driver to {self._device.name} again and again: see dmesg"
            )
        log.warning("the kernel has bound its driver to %s: taking it again", self._device.name)
        self._frontend.set_state(XenbusState.CLOSING)

    def _initialise(self) -> None:
        kernel_driver.initialise(self._store, self._device, wary=self._disputes > 0)

    def _wait(self) -> bool:
        """Wait until there is something to do; return True if XenStore has changed."""
        timeout = None if self._ready_at is None else max(0.0, self._ready_at - time.monotonic())
        control = [self._store.fileno(), self._signals.fileno(), self._guardian.fileno()]
        ready = self._source.wait(control, timeout).ready
        if self._ready_at is not None and time.monotonic() >= self._ready_at:
            log.info("the backend of %s has not answered yet", self._device.name)
            self._tell_ready()
        if self._guardian.fileno() in ready:
            log.warning("the guardian of %s has ended: starting another", self._device.name)
            self._guardian.renew()
        self._signals.heard()
        return self._store.fileno() in ready

    def _tell_ready(self) -> None:
        self._manager.ready()
        self._ready_at = None

    def _close(self) -> None:
        self._source.close()
        deadline = time.monotonic() + PATIENCE
        self._source.step()
        while self._source.phase is not Phase.CLOSED:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._store.pause(left)
            self._source.step()
        if not self._source.released:
            raise _does_not_let_go(self._device, self._frontend)


def run(device: Device, wanted: str) -> bool:
    """Be the device's frontend until SIGTERM, SIGINT or its removal; then give it back.

    `wanted` is a source's name, or "auto" (see `xenabs.sources.choice`). A process that is told to
    hand over (SIGHUP) leaves connection and devices to the next. Returns True if another process is
    to be started: after SIGHUP, and when the device was removed, for it may be there again by now.
    Raises XenabsError if the device cannot be served, with the device left to the kernel's driver,
    or if the backend does not let go at the end.
    """
    manager = ServiceManager()
    signals = Signals()
    watchdog = Watchdog(manager)
    lock = rundir.DeviceLock(device.name)
    lock.take(SUCCESSION)
    try:
        autoprobe.restore(device.bus)
        if not device.exists():
            log.warning(
                "the kernel has dropped %s, as Linux 7 does at some boots: bringing it back",
                device.name,
            )
            kernel_driver.give_back(Store(), device)
        daemon = Daemon(device, wanted, manager, signals, watchdog)
    except (XenabsError, OSError):
        _leave_to_kernel(device)
        raise
    try:
        daemon.serve()
    except OSError as error:
        if not daemon.attached:
            log.info("%s was detached without being closed", device.name)
            return True
        raise XenabsError(
            f"{device.name} cannot be served any longer ({error}): see dmesg, and restart xenabs"
        ) from error
    finally:
        if not signals.hand_over:
            daemon.end()
        watchdog.stop()
    return not signals.stop


def release(device: Device) -> None:
    """Stop the device's daemon, if it has one, and see the kernel's driver connect to the device.

    Raises XenabsError if that fails.
    """
    lock = rundir.DeviceLock(device.name)
    lock.signal_holder(signal.SIGTERM)
    lock.take(RELEASE_PATIENCE)
    _close_former_connection(device)
    kernel_driver.give_back(Store(), device)


def recover() -> list[Device]:
    """Bring back each vkbd and vfb that the kernel has dropped, to its own drivers; return them.

    The framebuffer goes first, for the sake of an X server that starts. Raises XenabsError if
    XenStore cannot be reached, or if a device does not come back.
    """
    store = Store()
    found = bus.lost(store, kinds=(bus.VFB, bus.VKBD))
    for device in found:
        lock = rundir.DeviceLock(device.name)
        lock.take(SUCCESSION)
        kernel_driver.give_back(store, device)
        lock.release()
    return found


def _leave_to_kernel(device: Device) -> None:
    """Give the device back if a process before this one had it; log why that fails, if it does."""
    try:
        _close_former_connection(device)
        kernel_driver.leave(Store(), device)
    except (XenabsError, OSError) as error:
        log.error("%s cannot be given back to the kernel's driver: %s", device.name, error)


def _close_former_connection(device: Device) -> None:
    guardian = Guardian.running(device.name)
    if guardian is None:
        return
    try:
        if not guardian.close_connection(PATIENCE):
            raise _does_not_let_go(device, Frontend(Store(), device.path))
    finally:
        guardian.dismiss()


def _does_not_let_go(device: Device, frontend: Frontend) -> XenabsError:
    return XenabsError(
        f"the backend of {device.name} does not let go (at {frontend.backend_state()}): a guardian "
        "process keeps the shared page until it does"
    )
