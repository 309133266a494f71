"""The tablet stays tied while outputs change, and tablets come and go."""

from collections.abc import Callable
from typing import Any

from Xlib import error
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.errors import XenabsError
from xenabs.x11 import mapping, outputs
from xenabs.x11.devices import InputDevice
from xenabs.x11.grab import grabbed


def keep_tied(display: Display, to: str, tell: Callable[[str], None]) -> None:
    """Tie every tablet to an output, monitor or region, and again whenever that changes.

    It has no end but Xlib's ConnectionClosedError, when the server has one. What somebody ties to
    something else by xenabs follows that, and what he frees stays free. It is told in lines.
    """
    keeper = _Keeper(display, to, tell)
    outputs.select(display)
    root = display.screen().root
    root.xinput_select_events([(xinput.AllDevices, xinput.HierarchyChangedMask)])
    keeper.look()
    while True:
        keeper.take(display.next_event())
        while display.pending_events():
            keeper.take(display.next_event())
        keeper.look()


class _Keeper:
    """What is known of the tablets, by id: `ours` were tied, `said` is what was told last."""

    def __init__(self, display: Display, to: str, tell: Callable[[str], None]) -> None:
        self._display = display
        self._to = to
        self._tell = tell
        self._ours: set[int] = set()
        self._said: dict[int | None, str] = {}

    def take(self, event: Any) -> None:
        """Take in an event: the id of a device that has gone is given to another one."""
        if getattr(event, "evtype", None) == xinput.HierarchyChanged:
            for each in event.data.info:
                if each.flags & xinput.SlaveRemoved:
                    self._ours.discard(each.deviceid)
                    self._said.pop(each.deviceid, None)

    def look(self) -> None:
        """See to every tablet."""
        tablets = mapping.tablets(self._display)
        self._say(None, "" if tablets else f"waiting for a device {mapping.TABLET}")
        for tablet in tablets:
            try:
                with grabbed(self._display):
                    news = self._see_to(tablet)
            except error.XError:
                continue  # it has gone meanwhile, which an event will tell
            except XenabsError as problem:
                news = f"{tablet.label} waits: {problem}"
            self._say(tablet.id, news)

    def _see_to(self, tablet: InputDevice) -> str:
        """What there is to say of it."""
        present = mapping.tie_of(self._display, tablet)
        if present is None and tablet.id in self._ours:
            return f"{tablet.label}: somebody has set it free, and it is left alone"
        to = present.to if present else self._to
        region = outputs.find(self._display, to)
        mapping.tie(self._display, tablet, to, region)
        self._ours.add(tablet.id)
        return f"{tablet.label}: tied to {to} ({region})"

    def _say(self, about: int | None, what: str) -> None:
        if what and self._said.get(about) != what:
            self._tell(what)
        self._said[about] = what
