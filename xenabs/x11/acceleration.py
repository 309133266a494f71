"""A pointer's acceleration: how it is, off, and on again as it was."""

import json
from dataclasses import dataclass
from typing import Any

from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import properties, values
from xenabs.x11.devices import RELATIVE, XTEST, InputDevice
from xenabs.x11.grab import grabbed
from xenabs.x11.properties import Value
from xenabs.x11.schemes import SCHEMES, Scheme
from xenabs.x11.values import Values

RECORD = "xenabs Acceleration Before"
"""The property that keeps the values from before `off`: on the device itself, so that they live
just as long. A list in JSON of [property, type, bits, items], see `properties.Value`."""


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
    scheme, now = found
    return Acceleration(scheme.profile(now), scheme.speed(now), scheme.accelerates(now), recorded)


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
            values.put(display, device, scheme.off(before))
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
        values.put(display, device, _unpacked(record, device))
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
        found = values.present(display, device, scheme.properties)
        if scheme.properties[0] in found:
            return scheme, found
    return None


def _packed(before: Values) -> Value:
    record = [[name, value.type, value.bits, value.items] for name, value in before.items()]
    return Value("STRING", 8, tuple(json.dumps(record).encode()))


def _unpacked(record: Value, device: InputDevice) -> dict[str, Value]:
    try:
        entries: list[Any] = json.loads(bytes(record.items))
        before = {name: Value.recorded(*value) for name, *value in entries}
        if not all(isinstance(name, str) for name in before):
            raise ValueError
        return before
    except (ValueError, TypeError):
        raise XenabsError(
            f"{device.label} has a property {RECORD!r} that is not of xenabs: remove it, with "
            f"xinput delete-prop {device.id} '{RECORD}'"
        ) from None
