"""Acceleration stays off while devices come and go, and programs set it."""

from collections.abc import Callable
from typing import Any

from Xlib import error
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.errors import XenabsError
from xenabs.x11 import acceleration, devices
from xenabs.x11.devices import InputDevice
from xenabs.x11.grab import grabbed
from xenabs.x11.schemes import SCHEMES

Choice = Callable[[list[InputDevice]], list[InputDevice]]
"""Of the devices that there are those that are meant."""


def keep_off(display: Display, choice: Choice, tell: Callable[[str], None]) -> None:
    """Switch acceleration off, and again whenever it comes back or a chosen device appears.

    It has no end but Xlib's ConnectionClosedError, when the server has one. A device that somebody
    switches on by xenabs stays on, until somebody switches it off. What happens is told in lines.
    """
    keeper = _Keeper(display, choice, tell)
    mask = xinput.HierarchyChangedMask | xinput.PropertyEventMask
    display.screen().root.xinput_select_events([(xinput.AllDevices, mask)])
    keeper.look()
    while True:
        changed = keeper.take(display.next_event())
        while display.pending_events():
            changed |= keeper.take(display.next_event())
        if changed:
            keeper.look()


class _Keeper:
    """What is known of the devices, by id.

    `ours` had xenabs' record when last seen; `let_go` were switched on; `said` is what was told of
    those that cannot be switched off.
    """

    def __init__(self, display: Display, choice: Choice, tell: Callable[[str], None]) -> None:
        self._display = display
        self._choice = choice
        self._tell = tell
        names = [acceleration.RECORD, *(name for each in SCHEMES for name in each.properties)]
        self._atoms = {display.get_atom(name) for name in names}
        self._ours: set[int] = set()
        self._let_go: set[int] = set()
        self._said: dict[int, str] = {}

    def take(self, event: Any) -> bool:
        """Take in an event; whether it is a reason to look."""
        match getattr(event, "evtype", None):
            case xinput.PropertyEvent:
                return event.data.property in self._atoms
            case xinput.HierarchyChanged:
                for each in event.data.info:
                    if each.flags & xinput.SlaveRemoved:
                        self._forget(each.deviceid)
                return True
        return False

    def _forget(self, device: int) -> None:
        """Its id is given to another one."""
        self._ours.discard(device)
        self._let_go.discard(device)
        self._said.pop(device, None)

    def look(self) -> None:
        """See to every chosen device."""
        for device in self._choice(devices.present(self._display)):
            try:
                with grabbed(self._display):
                    news = self._see_to(device)
            except error.XError:
                continue  # it has gone meanwhile, which an event will tell
            except XenabsError as problem:
                news = "" if self._said.get(device.id) == str(problem) else str(problem)
                self._said[device.id] = str(problem)
            if news:
                self._tell(news)

    def _see_to(self, device: InputDevice) -> str:
        """What there is to say of it, or nothing."""
        state = acceleration.read(self._display, device)
        if state.switched_off:
            self._let_go.discard(device.id)
            self._ours.add(device.id)
        elif device.id in self._ours:
            self._ours.discard(device.id)
            self._let_go.add(device.id)
            return f"{device.label}: somebody has switched it on, and it is left alone"
        if device.id in self._let_go or not state.accelerated:
            return ""
        acceleration.switch_off(self._display, device, again=True)
        self._ours.add(device.id)
        self._said.pop(device.id, None)
        return f"{device.label}: acceleration is off"
