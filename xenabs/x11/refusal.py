"""Why a driver refuses a property's value."""

from Xlib.display import Display

from xenabs.x11 import properties
from xenabs.x11.devices import InputDevice
from xenabs.x11.properties import Value

ENABLED = "Device Enabled"
"""Every device's property; libinput's driver refuses everything of one that is disabled."""

AVAILABLE = {"libinput Accel Profile Enabled": "libinput Accel Profiles Available"}
"""By property: the one that says which of its values may be set."""


def cause(display: Display, device: InputDevice, name: str, value: Value) -> str:
    """Why, as far as the device's properties tell, and what to do."""
    enabled = properties.get(display, device.id, ENABLED)
    if enabled and not any(enabled.items):
        return f"it is disabled, enable it first, with xinput enable {device.id}"
    if name in AVAILABLE:
        available = properties.get(display, device.id, AVAILABLE[name])
        if available and not _within(value, available):
            return "it has no such profile, so its acceleration cannot be turned off"
    return "the X server's log may say why"


def _within(profiles: Value, available: Value) -> bool:
    pairs = zip(profiles.items, available.items, strict=False)
    return all(has for wanted, has in pairs if wanted)
