"""The kernel's bus "xen": which vkbd devices there are; taking one from xen-kbdfront, and back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.kbdif import nodes
from xenabs.kbdif.nodes import XenbusState
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

BUS = Path("/sys/bus/xen")
DRIVER = "vkbd"
"""The name of xen-kbdfront on the bus."""

PATIENCE = 10.0
"""Seconds given to the backend and the kernel's driver to follow a change of state."""


@dataclass(frozen=True)
class Device:
    """A vkbd device by its name on the bus ("vkbd-0")."""

    name: str
    bus: Path = BUS

    @property
    def path(self) -> str:
        """Its directory in XenStore ("device/vkbd/0")."""
        return "device/" + self.name.replace("-", "/", 1)

    def exists(self) -> bool:
        """Whether the kernel knows it."""
        return (self.bus / "devices" / self.name).exists()

    def driver(self) -> str | None:
        """The name of the kernel's driver that has it, None without."""
        link = self.bus / "devices" / self.name / "driver"
        return link.resolve().name if link.exists() else None


def devices(bus: Path = BUS) -> list[Device]:
    """All vkbd devices of this guest, by name."""
    return [Device(entry.name, bus) for entry in sorted(bus.glob("devices/vkbd-*"))]


def find(name: str | None, bus: Path = BUS) -> Device:
    """The device of that name, or the only one there is. Raises XenabsError otherwise."""
    if not bus.exists():
        raise XenabsError("this is not a Xen guest: its kernel has no bus named xen")
    known = devices(bus)
    if name is None and len(known) == 1:
        return known[0]
    names = ", ".join(device.name for device in known)
    if not known:
        raise XenabsError(
            "this guest has no vkbd device: give it one in its xl configuration "
            '(vfb=["vnc=1"] for PV and PVH, vnc=1 for HVM)'
        )
    if name is None:
        raise XenabsError(f"there are several vkbd devices, name one of them: {names}")
    for device in known:
        if device.name == name:
            return device
    raise XenabsError(f"there is no device {name}; there is {names}")


def take(store: Store, device: Device) -> None:
    """Take the device from the kernel's driver, which frees its page only after the backend let go.

    The frontend is led to Closing first: unbinding a connected driver frees a page that the backend
    still has mapped. Raises XenabsError if the backend does not follow.
    """
    if device.driver() is None:
        return
    frontend = Frontend(store, device.path)
    frontend.set_state(XenbusState.CLOSING)
    if not _both_closed(store, frontend):
        raise XenabsError(
            f"the backend of {device.name} does not let go (frontend {frontend.state()}, backend "
            f"{frontend.backend_state()}): look at the backend's log in the host, then try again"
        )
    _tell_driver(device, "unbind")


def give_back(store: Store, device: Device) -> None:
    """Give a device that nobody has to the kernel's driver, as fresh as the toolstack made it.

    What we asked for is removed first: the driver's own pointer misreads raw coordinates. Raises
    XenabsError if the driver and the backend do not connect.
    """
    if device.driver() is not None:
        return
    frontend = Frontend(store, device.path)
    if not _both_closed(store, frontend):
        raise XenabsError(
            f"{device.name} is still in use (frontend {frontend.state()}, backend "
            f"{frontend.backend_state()}): end its user, then try again"
        )
    ours = (
        nodes.PAGE_REF,
        nodes.PAGE_GREF,
        nodes.EVENT_CHANNEL,
        nodes.REQUEST_ABS_POINTER,
        nodes.REQUEST_RAW_POINTER,
    )
    frontend.change({**dict.fromkeys(ours), nodes.STATE: str(XenbusState.INITIALISING.value)})
    waits = XenbusState.INIT_WAIT
    if not _wait(store, frontend, lambda: frontend.backend_state() == waits):
        raise XenabsError(
            f"the backend of {device.name} stays at {frontend.backend_state()} instead of {waits}: "
            "look at the backend's log in the host"
        )
    _tell_driver(device, "bind")
    connected = XenbusState.CONNECTED
    if not _wait(
        store, frontend, lambda: {frontend.state(), frontend.backend_state()} == {connected}
    ):
        raise XenabsError(
            f"the kernel's driver has {device.name} but does not connect (frontend "
            f"{frontend.state()}, backend {frontend.backend_state()}): see dmesg"
        )


def _both_closed(store: Store, frontend: Frontend) -> bool:
    closed = {XenbusState.CLOSED}
    return _wait(store, frontend, lambda: {frontend.state(), frontend.backend_state()} == closed)


def _wait(store: Store, frontend: Frontend, ready: Callable[[], bool]) -> bool:
    backend = frontend.backend_path()
    return store.wait([frontend.path, *([backend] if backend else [])], ready, PATIENCE)


def _tell_driver(device: Device, what: str) -> None:
    try:
        (device.bus / "drivers" / DRIVER / what).write_text(device.name)
    except FileNotFoundError as error:
        raise XenabsError(
            "this kernel has no xen-kbdfront to give the device to: load the module xen-kbdfront, "
            "or boot without initcall_blacklist=xenkbd_init"
        ) from error
    except OSError as error:
        raise XenabsError(
            f"the kernel's driver refuses to {what} {device.name} ({error.strerror}): see dmesg"
        ) from error
