"""The tablet tied to one output or region of the X screen, and free again as it was before."""

import json
from dataclasses import dataclass

from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import devices, properties, values, workarounds
from xenabs.x11.calibration import CALIBRATIONS
from xenabs.x11.devices import InputDevice
from xenabs.x11.grab import grabbed
from xenabs.x11.properties import Value
from xenabs.x11.region import Region
from xenabs.x11.values import Values

TABLET = "xenabs tablet"
"""devices/tablet.py names it so; that is not imported here, for it needs uinput."""

RECORD = "xenabs Mapping"
"""The property that keeps what a tablet is tied to, and the values from before: on the device
itself, so that it lives just as long. JSON: {"to": NAME, "before": {PROPERTY: [type, bits, items]}}
"""

MATRIX = "Coordinate Transformation Matrix"
"""The server's own, which x11/calibration.py does not use: it must not add to the calibration."""
IDENTITY = Value.floats(1, 0, 0, 0, 1, 0, 0, 0, 1)


@dataclass(frozen=True)
class Tie:
    """What a tablet is tied to: `to` as it was asked for, and its values from before."""

    to: str
    before: Values


def tablets(display: Display) -> list[InputDevice]:
    """xenabs' tablets; each vkbd has one."""
    return [each for each in devices.present(display) if each.name == TABLET]


def tie_of(display: Display, tablet: InputDevice) -> Tie | None:
    """What it is tied to, None if it is free. Raises Xlib's XError when the device has gone."""
    record = properties.get(display, tablet.id, RECORD)
    if record is None:
        return None
    try:
        known = json.loads(bytes(record.items))
        before = {name: Value.recorded(*value) for name, value in known["before"].items()}
        return Tie(str(known["to"]), before)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise XenabsError(
            f"the property {RECORD} of {tablet.label} is not as xenabs writes it: delete it, with "
            f"xinput delete-prop {tablet.id} '{RECORD}'"
        ) from None


def in_place(display: Display, tablet: InputDevice, region: Region) -> bool:
    """Whether its values are those for a region. Raises Xlib's XError when the device has gone."""
    wanted = _wanted(display, tablet, region)
    return not values.different(wanted, values.present(display, tablet, wanted))


def tie(display: Display, tablet: InputDevice, to: str, region: Region) -> bool:
    """Tie it to a region, which is that of `to` now; False if it is so already.

    Values from before are kept, unless there are some already. Raises XenabsError if the driver
    refuses, with all as it was, or is none that can do it, and Xlib's XError when the device has
    gone.
    """
    with grabbed(display):
        wanted = _wanted(display, tablet, region)
        present = tie_of(display, tablet)
        now = values.present(display, tablet, wanted)
        if present and present.to == to and not values.different(wanted, now):
            return False
        before = present.before if present else now
        properties.put(display, tablet.id, RECORD, _packed(Tie(to, before)))
        try:
            values.put(display, tablet, wanted)
        except XenabsError:
            if present:
                properties.put(display, tablet.id, RECORD, _packed(present))
            else:
                properties.delete(display, tablet.id, RECORD)
            raise
        return True


def free(display: Display, tablet: InputDevice) -> bool:
    """Give it back the values from before; False if xenabs has not tied it. Raises as `tie`."""
    with grabbed(display):
        present = tie_of(display, tablet)
        if present is None:
            return False
        values.put(display, tablet, present.before)
        properties.delete(display, tablet.id, RECORD)
        return True


def _wanted(display: Display, tablet: InputDevice, region: Region) -> Values:
    if display.screen_count() > 1:
        raise XenabsError(
            f"the X server has {display.screen_count()} screens (:0.0, :0.1 ...) and tells nobody "
            "where they lie to each other: tie the tablet in xorg.conf, by the option "
            "TransformationMatrix, as docs/mapping.md has it"
        )
    if tablet.driver not in CALIBRATIONS:
        raise XenabsError(
            f"{tablet.label} has neither the driver libinput nor evdev: name one of them for it in "
            "an InputClass of xorg.conf.d"
        )
    name, calibrate = CALIBRATIONS[tablet.driver]
    return {name: calibrate(region, workarounds.screen_size(display)), MATRIX: IDENTITY}


def _packed(tie: Tie) -> Value:
    before = {name: [each.type, each.bits, each.items] for name, each in tie.before.items()}
    return Value("STRING", 8, tuple(json.dumps({"to": tie.to, "before": before}).encode()))
