"""The input devices of an X server."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from Xlib import error
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.errors import XenabsError
from xenabs.x11 import properties
from xenabs.x11.workarounds import text

RELATIVE, ABSOLUTE, KEYBOARD, MASTER = "relative", "absolute", "keyboard", "master"

XENS_MICE = ("Xen Virtual Pointer", "ImExPS/2 Generic Explorer Mouse", "QEMU USB Mouse")
"""Relative pointers that a Xen guest has, the kernel's and, in HVM guests, those of QEMU.

They are parts of names, as in xorg.conf.d/90-xenabs.conf, which has the same.
"""

XENS_TABLETS = ("xenabs tablet", "QEMU USB Tablet")
"""Its absolute ones."""

XTEST = "XTEST"
"""The driver of what programs fake: its motion is never accelerated."""

DRIVERS = {
    "libinput ": "libinput",
    "Evdev ": "evdev",
    "Synaptics ": "synaptics",
    "Wacom ": "wacom",
    "XTEST Device": XTEST,
}
"""How a driver's properties begin -> its name; X does not tell it otherwise."""


@dataclass(frozen=True)
class InputDevice:
    """One that is there: X's number and name, its driver.

    `kind` is RELATIVE, ABSOLUTE, KEYBOARD, or MASTER, which has nothing of its own.
    """

    id: int
    name: str
    kind: str
    driver: str

    @property
    def xens(self) -> bool:
        """Whether it is one of Xen's or xenabs' pointers."""
        return any(part in self.name for part in (*XENS_MICE, *XENS_TABLETS))

    @property
    def label(self) -> str:
        """What people read of it."""
        return f"{self.name} (id {self.id})"


def present(display: Display) -> list[InputDevice]:
    """All of them, by id."""
    masters = (xinput.MasterPointer, xinput.MasterKeyboard)
    found = []
    for info in display.xinput_query_device(xinput.AllDevices).devices:
        try:
            driver = _driver(properties.names(display, info.deviceid))
        except error.XError:
            continue  # it has gone meanwhile
        kind = MASTER if info.use in masters else _kind(info.classes)
        found.append(InputDevice(int(info.deviceid), text(info.name), kind, driver))
    return sorted(found, key=lambda each: each.id)


def _kind(classes: Iterable[object]) -> str:
    """By its first axes, which are those that move the pointer."""
    for each in classes:
        if getattr(each, "type", None) == xinput.ValuatorClass:
            return ABSOLUTE if each.mode == xinput.ModeAbsolute else RELATIVE  # type: ignore[attr-defined]
    return KEYBOARD


def _driver(names: Iterable[str]) -> str:
    for name in names:
        for beginning, driver in DRIVERS.items():
            if name.startswith(beginning):
                return driver
    return "other"


class NoSuchDevice(XenabsError):
    """It is not there, but may come."""


def choose(
    devices: Sequence[InputDevice], wanted: Sequence[str] = (), everything: bool = False
) -> list[InputDevice]:
    """Those with a wanted id or name; else every pointer; else Xen's and xenabs' pointers.

    Raises NoSuchDevice for what is wanted and not there, XenabsError for a master.
    """
    pointers = [
        each for each in devices if each.kind in (RELATIVE, ABSOLUTE) and each.driver != XTEST
    ]
    if wanted:
        return list(dict.fromkeys(each for word in wanted for each in _find(devices, word)))
    return [each for each in pointers if everything or each.xens]


def _find(devices: Sequence[InputDevice], word: str) -> list[InputDevice]:
    named = [each for each in devices if each.name == word]
    found = named or [each for each in devices if str(each.id) == word]
    if not found:
        raise NoSuchDevice(
            f"X has no input device {word!r}: `xenabs accel status --all` shows names and ids"
        )
    if found[0].kind == MASTER:
        raise XenabsError(
            f"{found[0].label} is a master, which has no settings of its own: name one of its "
            "slaves, `xenabs accel status --all` shows their names and ids"
        )
    # A mouse with keys is two devices of one name: it is the pointer that is meant.
    return [each for each in found if each.kind != KEYBOARD] or found
