"""Wayland sessions: there the compositor has the pointer, and its settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


def session(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether these are the variables of a Wayland session."""
    return bool(environment.get("WAYLAND_DISPLAY")) or (
        environment.get("XDG_SESSION_TYPE") == "wayland"
    )


@dataclass(frozen=True)
class Setting:
    """Something that X clients set, and where compositors have it.

    `what` names it; `places` has a desktop, as XDG_CURRENT_DESKTOP names it but in lower case, and
    how it is set there.
    """

    what: str
    places: Mapping[str, str]

    def advice(self, environment: Mapping[str, str] = os.environ) -> str:
        """Where it is set in this session: half a sentence."""
        # Variants have several names: ubuntu:GNOME.
        for name in environment.get("XDG_CURRENT_DESKTOP", "").lower().split(":"):
            if name in self.places:
                return f"{self.what} is the compositor's setting, here: {self.places[name]}"
        examples = "; ".join(f"{name}: {place}" for name, place in list(self.places.items())[:3])
        return f"{self.what} is the compositor's setting, for example {examples}"


ACCELERATION = Setting(
    "the pointer's acceleration",
    {
        "gnome": "gsettings set org.gnome.desktop.peripherals.mouse accel-profile flat",
        "kde": "System Settings, Mouse, Pointer acceleration: None",
        "sway": "swaymsg input type:pointer accel_profile flat",
        "hyprland": "input { accel_profile = flat } in ~/.config/hypr/hyprland.conf",
        "weston": "accel-profile=flat in the section [libinput] of weston.ini",
        "labwc": "<accelProfile>flat</accelProfile> for <libinput> in ~/.config/labwc/rc.xml",
        "wayfire": "mouse_accel_profile = flat in the section [input] of wayfire.ini",
    },
)

_NOWHERE = "nowhere, it spreads the tablet over all outputs"
"""Of those that tie graphics tablets and touch screens only, which libinput does not call this."""

MAPPING = Setting(
    "the output that the tablet is tied to",
    {
        "sway": "swaymsg input 22611:65533:xenabs_tablet map_to_output OUTPUT",
        "weston": 'ENV{WL_OUTPUT}="OUTPUT" in a rule of udev for the tablet',
        "wayfire": "output = OUTPUT in the section [input-device:xenabs tablet] of wayfire.ini",
        "gnome": _NOWHERE,
        "kde": _NOWHERE,
    },
)
