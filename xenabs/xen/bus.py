"""The kernel's bus "xen" as sysfs shows it: which vkbd devices there are, and who drives each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.kbdif.nodes import XenbusState
from xenabs.xen.store import Store

BUS = Path("/sys/bus/xen")

VKBD, VFB = "vkbd", "vfb"
"""Kinds of devices, and the names of their drivers: xen-kbdfront and xen-fbfront."""


@dataclass(frozen=True)
class Device:
    """A device by its name on the bus ("vkbd-0", "vfb-0")."""

    name: str
    bus: Path = BUS

    @property
    def path(self) -> str:
        """Its directory in XenStore ("device/vkbd/0")."""
        return "device/" + self.name.replace("-", "/", 1)

    @property
    def _directory(self) -> Path:
        return self.bus / "devices" / self.name

    def exists(self) -> bool:
        """Return True if the kernel has the device on its bus."""
        return self._directory.exists()

    def driver(self) -> str | None:
        """Return the name of the driver that is bound to the device, None without one."""
        link = self._directory / "driver"
        return link.resolve().name if link.exists() else None

    def state(self) -> XenbusState | None:
        """Return the frontend's state as the kernel has it in memory, None if it does not tell.

        It is not read from XenStore, and may differ from what stands there.
        """
        try:
            text = (self._directory / "state").read_text().strip()
        except OSError:
            return None
        return next((state for state in XenbusState if state.title == text), None)

    def identity(self) -> int | None:
        """Return a number that another device of the same name will not have, None without one."""
        try:
            return self._directory.stat().st_ino
        except FileNotFoundError:
            return None

    def bind(self) -> None:
        """Bind the kernel's driver to the device. Raises OSError if the kernel refuses."""
        self._tell_driver("bind")

    def unbind(self) -> None:
        """Unbind the kernel's driver from the device. Raises OSError if the kernel refuses."""
        self._tell_driver("unbind")

    def has_driver(self) -> bool:
        """Return True if the kernel has a driver for the device, bound or not."""
        return self._driver.exists()

    @property
    def _driver(self) -> Path:
        return self.bus / "drivers" / self.name.partition("-")[0]

    def _tell_driver(self, what: str) -> None:
        (self._driver / what).write_text(self.name)


def devices(bus: Path = BUS) -> list[Device]:
    """Return all vkbd devices on the bus, by name."""
    return [Device(entry.name, bus) for entry in sorted(bus.glob("devices/vkbd-*"))]


def lost(store: Store, bus: Path = BUS, kinds: Sequence[str] = (VKBD,)) -> list[Device]:
    """Return the devices of these kinds that XenStore has and the kernel has dropped, by name.

    Linux 7 drops a device whose frontend's state it finds reset, and takes it back only if that
    state still is Initialising (drivers/xen/xenbus/xenbus_probe.c, xenbus_dev_changed and
    xenbus_probe_node). At boot it may find so by mistake, while its own driver connects.
    """
    named = [
        Device(f"{kind}-{number}", bus) for kind in kinds for number in store.list(f"device/{kind}")
    ]
    return [device for device in named if _is_lost(store, device)]


def _is_lost(store: Store, device: Device) -> bool:
    if device.exists() or not store.read(f"{device.path}/backend"):
        return False
    state = XenbusState.parse(store.read(f"{device.path}/state"))
    # The kernel has yet to see one at Initialising, and may have seen it since the first look.
    return state is not XenbusState.INITIALISING and not device.exists()


def find(name: str | None, bus: Path = BUS) -> Device:
    """Return the device of that name, or the only one there is.

    Devices that the kernel has dropped count, where XenStore can be asked. Raises XenabsError if
    there is no such device, or if there are several and `name` is None.
    """
    if not bus.exists():
        raise XenabsError("this is not a Xen guest: its kernel has no bus named xen")
    known = devices(bus)
    if name not in [device.name for device in known]:
        known += lost_if_root(bus)
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


def lost_if_root(bus: Path = BUS) -> list[Device]:
    """Return what `lost` does, nothing where XenStore cannot be asked: it is open to root only."""
    try:
        store = Store()
    except XenabsError:
        return []
    try:
        return lost(store, bus)
    except OSError:
        return []
    finally:
        store.close()
