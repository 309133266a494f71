"""Taking a vkbd from the kernel's driver, xen-kbdfront, and giving it back.

Both look at what is there, do the one step that is due, and look again after a change, so that
they go on from wherever a process was killed. What decides is who may still use a shared page:

- A driver is unbound only when its backend is not connected, because unbinding frees the page.
- A driver whose backend has not connected yet is left alone: nothing is written.

Since Linux 7.0 the kernel makes a device anew, and has its driver bind, when it finds Initialising
in XenStore where its own idea of the frontend's state is another one (xenbus_dev_changed in
drivers/xen/xenbus/xenbus_probe.c). A frontend that is not the kernel's must write that state, since
backends begin again at nothing else. So the first time it does so with no driver to be bound
(`initialise`); from then on the kernel's own state is Initialising, and it has nothing to compare.

For the same reason such a kernel may drop a device while its driver binds at Initialising: the
thread that watches XenStore reads the state before the driver changes it, and compares it
afterwards. The driver's page is freed then, as the backend connects to it. A driver is bound at
Closed instead, and that thread, told of Initialising, makes the device anew and binds the driver.
"""

import logging
import os
import re
import time

from xenabs.errors import XenabsError
from xenabs.kbdif import nodes
from xenabs.kbdif.nodes import LETTING_GO, NOT_CONNECTED, XenbusState
from xenabs.xen import autoprobe
from xenabs.xen.bus import Device
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds within which the kernel's driver or the backend is to do its next step."""

LIMIT = 60.0
"""Seconds within which they are to connect, whatever steps a backend does."""

APPEARANCE = 10.0
"""Seconds within which the kernel makes a device anew."""

REACTION = 3.0
"""Seconds given to a backend before the driver is bound without it, as the kernel does at boot."""

LOOK = 0.05
"""Seconds until the next look at sysfs, which has no events of its own."""

OVER = (XenbusState.CLOSING, XenbusState.CLOSED)
"""The frontend's states in which its driver does nothing more."""

RESETS_SINCE = (7, 0)
"""The version of Linux that makes a device anew when its state is set back (e2dcf9065536)."""


def take(store: Store, device: Device) -> bool:
    """Do the next step of taking the device from its driver; return True if it has none (any more).

    False means that the backend or the driver has to do something first: call it again when a
    node of either end has changed. Raises XenabsError if the kernel refuses.
    """
    if device.driver() is None:
        return True
    frontend = Frontend(store, device.path)
    ours, backend = frontend.state(), frontend.backend_state()
    # A backend that is back at the beginning after our Closing has let go of the page, too:
    # libxenbe's rests at InitWait then.
    begins = backend in (XenbusState.INITIALISING, XenbusState.INIT_WAIT)
    if backend in LETTING_GO or (ours in OVER and begins):
        _unbind(device)
        return True
    if backend not in NOT_CONNECTED:
        frontend.set_state(XenbusState.CLOSING)
    return False


def initialise(store: Store, device: Device, *, wary: bool = False) -> None:
    """Set the frontend's state to Initialising without the kernel's driver taking the device.

    `wary` expects the kernel to make the device anew whatever its version is. Raises XenabsError
    if it is expected to and does not.
    """
    frontend = Frontend(store, device.path)
    if frontend.state() is XenbusState.INITIALISING:
        return
    if not resets(device, wary=wary):
        frontend.set_state(XenbusState.INITIALISING)
        return
    before = device.identity()
    deadline = time.monotonic() + APPEARANCE
    with autoprobe.off(device.bus):
        frontend.set_state(XenbusState.INITIALISING)
        while device.identity() in (None, before):
            if time.monotonic() > deadline:
                raise XenabsError(
                    f"the kernel does not make {device.name} anew: see dmesg, and reboot the guest "
                    "if it has no pointer"
                )
            # Not `store.pause`: the watches that fire meanwhile are the caller's to hear.
            time.sleep(LOOK)


def kernel_resets() -> bool:
    """Return True if this kernel makes devices anew whose state is set back."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return version is not None and (int(version[1]), int(version[2])) >= RESETS_SINCE


def resets(device: Device, *, wary: bool = False) -> bool:
    """Return True if the kernel makes the device anew when its state is set back.

    `wary` goes by the device alone, not by the kernel's version.
    """
    differs = device.exists() and device.state() is not XenbusState.INITIALISING
    return differs and (wary or kernel_resets())


def give_back(store: Store, device: Device) -> None:
    """Give a device to the kernel's driver, from whatever state it is in, and see it connect.

    Nothing may be shared with the backend by another frontend. What that one asked for is removed:
    the driver's own pointer misreads raw coordinates. A device that the kernel has dropped is
    brought back. Does nothing if XenStore has no such device. Raises XenabsError if the kernel has
    no driver for it, or if driver and backend do not connect within PATIENCE.
    """
    autoprobe.restore(device.bus)
    frontend = Frontend(store, device.path)
    paths = [frontend.path, *filter(None, [frontend.backend_path()])]
    for path in paths:
        store.watch(path)
    began = changed = time.monotonic()
    last = None
    try:
        while frontend.backend_path() is not None:
            now = time.monotonic()
            look = device.driver(), device.state(), frontend.state(), frontend.backend_state()
            if look != last:
                last, changed = look, now
            if _has_connected(device, frontend):
                return
            if now > changed + PATIENCE or now > began + LIMIT:
                raise _does_not_connect(device, frontend)
            _approach_driver(device, frontend, late=now > changed + REACTION)
            store.pause(LOOK)
    finally:
        for path in paths:
            store.unwatch(path)


def leave(store: Store, device: Device) -> None:
    """Give the device back, unless the kernel's driver is at work or there is none to have it.

    Raises XenabsError as `give_back` does.
    """
    if not device.has_driver():
        log.info("%s has no driver now: this kernel has no xen-kbdfront", device.name)
    elif device.driver() is None or Frontend(store, device.path).state() in OVER:
        give_back(store, device)


def _has_connected(device: Device, frontend: Frontend) -> bool:
    connected = XenbusState.CONNECTED
    return (
        device.driver() is not None
        and device.state() in (None, connected)
        and (frontend.state(), frontend.backend_state()) == (connected, connected)
    )


def _approach_driver(device: Device, frontend: Frontend, *, late: bool) -> None:
    """Do the next step towards a driver that is bound and connects.

    `late` means that nothing has changed for REACTION.
    """
    ours, backend = frontend.state(), frontend.backend_state()
    bound = device.driver() is not None
    if bound and ours not in OVER and device.state() not in OVER:
        if late and backend is XenbusState.CLOSED:
            # The backend has not seen the frontend's Initialising, so soon was it Initialised.
            frontend.set_state(XenbusState.INITIALISING)
        return
    connecting = backend is XenbusState.INIT_WAIT and ours in (
        XenbusState.INITIALISED,
        XenbusState.CONNECTED,
    )
    if connecting or backend not in (*NOT_CONNECTED, *LETTING_GO):
        frontend.set_state(XenbusState.CLOSING)
    elif bound:
        _unbind(device)
    elif backend is XenbusState.CLOSING:
        frontend.set_state(XenbusState.CLOSED)
    elif kernel_resets() and device.exists() and not resets(device):
        _bind_at_closed(device, frontend, ours, backend)
    elif ours is not XenbusState.INITIALISING:
        _clear(frontend, XenbusState.INITIALISING)
    elif device.exists() and not kernel_resets() and (backend is XenbusState.INIT_WAIT or late):
        _bind(device)


def _bind_at_closed(
    device: Device, frontend: Frontend, ours: XenbusState, backend: XenbusState
) -> None:
    """Do the next step where binding at Initialising may lose the device."""
    left = any(frontend.read(key) is not None for key in nodes.FRONTENDS_OWN)
    if left or ours is not XenbusState.CLOSED:
        _clear(frontend, XenbusState.CLOSED)
        return
    _bind(device)
    if backend is XenbusState.CLOSED and device.driver() is not None:
        frontend.set_state(XenbusState.INITIALISING)


def _clear(frontend: Frontend, state: XenbusState) -> None:
    """Remove what a frontend has written, and set its state."""
    frontend.change({**dict.fromkeys(nodes.FRONTENDS_OWN), nodes.STATE: str(state.value)})


def _bind(device: Device) -> None:
    if not device.has_driver():
        raise XenabsError(
            f"this kernel has no driver to give {device.name} to: load the module xen-kbdfront, or "
            "boot without initcall_blacklist=xenkbd_init"
        )
    try:
        device.bind()
    except OSError as error:
        # The kernel may have bound it itself, or dropped it, since we looked; we look again.
        log.debug("%s cannot be bound just now: %s", device.name, error)


def _unbind(device: Device) -> None:
    try:
        device.unbind()
    except OSError as error:
        if device.driver() is not None:
            raise XenabsError(
                f"the kernel's driver refuses to unbind {device.name} ({error.strerror}): see dmesg"
            ) from error


def _does_not_connect(device: Device, frontend: Frontend) -> XenabsError:
    driver = device.driver()
    return XenabsError(
        f"{device.name} is {'the kernel driver' if driver else 'nobody'}'s, and not connected "
        f"(frontend {frontend.state()}, backend {frontend.backend_state()}): look at dmesg, and at "
        "the backend's log in the host"
    )
