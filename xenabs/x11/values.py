"""The values of several properties of a device, which are set together or not at all."""

import contextlib
from collections.abc import Iterable, Mapping

from Xlib import error
from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import properties
from xenabs.x11.devices import InputDevice
from xenabs.x11.properties import Value
from xenabs.x11.refusal import cause

Values = Mapping[str, Value]


def present(display: Display, device: InputDevice, names: Iterable[str]) -> dict[str, Value]:
    """Those of these names that it has. Raises Xlib's XError when the device has gone."""
    found = {name: properties.get(display, device.id, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def different(wanted: Values, there: Values) -> dict[str, Value]:
    """Those that are not there as they are wanted."""
    return {name: value for name, value in wanted.items() if there.get(name) != value}


def put(display: Display, device: InputDevice, wanted: Values) -> None:
    """Set them.

    Raises XenabsError if the driver refuses, with all as it was, and Xlib's XError when the device
    has gone.
    """
    before = present(display, device, wanted)
    changed = different(wanted, before)
    for name, value in changed.items():
        try:
            properties.put(display, device.id, name, value)
        except error.XError as refusal:
            for back in changed.keys() & before.keys():
                with contextlib.suppress(error.XError):
                    properties.put(display, device.id, back, before[back])
            if not _there(display, device):
                raise
            raise XenabsError(
                f"the driver of {device.label} does not take {name} = "
                f"{', '.join(map(str, value.numbers()))} ({type(refusal).__name__}): "
                f"{cause(display, device, name, value)}"
            ) from None


def _there(display: Display, device: InputDevice) -> bool:
    try:
        properties.names(display, device.id)
    except error.XError:
        return False
    return True
