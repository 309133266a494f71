"""A pointer's acceleration: how it is, off, and on again as it was."""

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from Xlib import error
from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import properties
from xenabs.x11.devices import RELATIVE, XTEST, InputDevice
from xenabs.x11.grab import grabbed
from xenabs.x11.properties import Value
from xenabs.x11.schemes import (
    LIBINPUT_AVAILABLE,
    LIBINPUT_PROFILE,
    SCHEMES,
    Scheme,
    Values,
)

RECORD = "xenabs Acceleration Before"
"""The property that keeps the values from before `off`: on the device itself, so that they live
just as long. A list in JSON of [property, type, bits, items], see `properties.Value`."""

ENABLED = "Device Enabled"
"""Every device's property; libinput's driver refuses everything of one that is disabled."""


@dataclass(frozen=True)
class Acceleration:
    """How a device is accelerated.

    `profile` and `speed` are None where it has none: libinput's speed is -1 to 1 with 0 for neither
    faster nor slower, the server's is a factor. `accelerated` is None where the question makes no
    sense. `switched_off` says whether xenabs has done it, and has the former values.
    """

    profile: str | None
    speed: float | None
    accelerated: bool | None
    switched_off: bool


def read(display: Display, device: InputDevice) -> Acceleration:
    """How it is now. Raises Xlib's XError when the device has gone."""
    recorded = properties.get(display, device.id, RECORD) is not None
    found = _scheme(display, device)
    if found is None:
        return Acceleration(None, None, None, recorded)
    scheme, values = found
    return Acceleration(
        scheme.profile(values), scheme.speed(values), scheme.accelerates(values), recorded
    )


def switch_off(display: Display, device: InputDevice, again: bool = False) -> bool:
    """Have it move one pixel for one count; False if it does so, or has no acceleration.

    Values from before are kept; `again` is for what others undo: those of the first time stay then.
    Raises XenabsError if the driver refuses, with all as it was, and Xlib's XError when the device
    has gone.
    """
    with grabbed(display):
        found = _scheme(display, device)
        if found is None:
            return False
        scheme, before = found
        if not scheme.accelerates(before):
            return False
        record = properties.get(display, device.id, RECORD)
        if record is None or not again:
            properties.put(display, device.id, RECORD, _packed(before))
        try:
            _put(display, device, scheme.off(before), before)
        except XenabsError:
            if record is None:
                properties.delete(display, device.id, RECORD)
            else:
                properties.put(display, device.id, RECORD, record)
            raise
        return True


def switch_on(display: Display, device: InputDevice) -> bool:
    """Give it back the values from before; False if xenabs has none.

    Raises as `switch_off`.
    """
    with grabbed(display):
        record = properties.get(display, device.id, RECORD)
        if record is None:
            return False
        before = _unpacked(record, device)
        now = {name: properties.get(display, device.id, name) for name in before}
        _put(display, device, before, {name: value for name, value in now.items() if value})
        properties.delete(display, device.id, RECORD)
        return True


def toggle(display: Display, device: InputDevice) -> bool:
    """Switch on what xenabs has switched off, and off what is accelerated; False if it is neither.

    Raises as `switch_off`.
    """
    state = read(display, device)
    if state.switched_off and not state.accelerated:
        return switch_on(display, device)
    return switch_off(display, device)


def _scheme(display: Display, device: InputDevice) -> tuple[Scheme, dict[str, Value]] | None:
    """Who accelerates it, and the values that he has for that."""
    if device.kind != RELATIVE or device.driver == XTEST:
        return None
    for scheme in SCHEMES:
        found = {name: properties.get(display, device.id, name) for name in scheme.properties}
        values = {name: value for name, value in found.items() if value}
        if scheme.properties[0] in values:
            return scheme, values
    return None


def _put(display: Display, device: InputDevice, wanted: Values, present: Values) -> None:
    """Set what is to be different; on a refusal put back what has been, and say so."""
    different = {name: value for name, value in wanted.items() if present.get(name) != value}
    for name, value in different.items():
        try:
            properties.put(display, device.id, name, value)
        except error.XError as refusal:
            for back in different.keys() & present.keys():
                with contextlib.suppress(error.XError):
                    properties.put(display, device.id, back, present[back])
            if not _there(display, device):
                raise
            raise XenabsError(
                f"the driver of {device.label} does not take {name} = "
                f"{', '.join(map(str, value.numbers()))} ({type(refusal).__name__}): "
                f"{_cause(display, device, name, value)}"
            ) from None


def _cause(display: Display, device: InputDevice, name: str, value: Value) -> str:
    """Why a driver does not take a value, and what to do."""
    enabled = properties.get(display, device.id, ENABLED)
    if enabled and not any(enabled.items):
        return f"it is disabled, enable it first, with xinput enable {device.id}"
    available = properties.get(display, device.id, LIBINPUT_AVAILABLE)
    if name == LIBINPUT_PROFILE and available and not _within(value, available):
        return "it has no such profile, so its acceleration cannot be turned off"
    return "the X server's log may say why"


def _within(profiles: Value, available: Value) -> bool:
    pairs = zip(profiles.items, available.items, strict=False)
    return all(has for wanted, has in pairs if wanted)


def _there(display: Display, device: InputDevice) -> bool:
    try:
        properties.names(display, device.id)
    except error.XError:
        return False
    return True


def _packed(values: Values) -> Value:
    record = [[name, value.type, value.bits, value.items] for name, value in values.items()]
    return Value("STRING", 8, tuple(json.dumps(record).encode()))


def _unpacked(record: Value, device: InputDevice) -> dict[str, Value]:
    try:
        entries: list[Any] = json.loads(bytes(record.items))
        values = {name: Value(kind, bits, tuple(items)) for name, kind, bits, items in entries}
        if not all(isinstance(name, str) and value.sound for name, value in values.items()):
            raise ValueError
        return values
    except (ValueError, TypeError):
        raise XenabsError(
            f"{device.label} has a property {RECORD!r} that is not of xenabs: remove it, with "
            f"xinput delete-prop {device.id} '{RECORD}'"
        ) from None
