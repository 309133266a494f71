"""Who accelerates a pointer, and the properties by which that is turned off.

libinput does it in its driver, flat and with the speed 0 it passes motion on as it is (libinput's
documentation, "Pointer acceleration"). For all other drivers the server does it itself, from the
properties "Device Accel ..." (X.Org's PointerAcceleration document). Besides, whatever the
driver, the server multiplies relative motion by the device's matrix (its dix/getevents.c).
"""

from collections.abc import Callable
from dataclasses import dataclass

from xenabs.x11.mapping import IDENTITY, MATRIX
from xenabs.x11.properties import Value
from xenabs.x11.values import Values

LIBINPUT_PROFILE = "libinput Accel Profile Enabled"
LIBINPUT_SPEED = "libinput Accel Speed"
LIBINPUT_PROFILES = ("adaptive", "flat", "custom")
"""What the values of both lists of profiles stand for; drivers before 1.3 do not have the last."""

SERVER_PROFILE = "Device Accel Profile"
SERVER_DECELERATION = "Device Accel Constant Deceleration"
SERVER_ADAPTIVE = "Device Accel Adaptive Deceleration"
SERVER_PROFILES = {
    -1: "none",
    0: "classic",
    1: "device-dependent",
    2: "polynomial",
    3: "smooth linear",
    4: "simple",
    5: "power",
    6: "linear",
    7: "limited",
}
"""Numbers and names of the X server's include/ptrveloc.h."""


@dataclass(frozen=True)
class Scheme:
    """One way of accelerating.

    `properties` are what it is set by; a device has it if it has the first. `off` says what they
    are without acceleration, given those there are. `profile` and `speed` say how it is set.
    """

    properties: tuple[str, ...]
    off: Callable[[Values], dict[str, Value]]
    profile: Callable[[Values], str]
    speed: Callable[[Values], float | None]

    def accelerates(self, values: Values) -> bool:
        """Whether a mouse's count may become anything else than a pixel."""
        wanted = self.off(values)
        return any(values[name].numbers() != wanted[name].numbers() for name in wanted)


def _libinput_off(values: Values) -> dict[str, Value]:
    """Of as many profiles as the driver knows, the flat one."""
    off = {}
    if enabled := values.get(LIBINPUT_PROFILE):
        flat = (int(name == "flat") for name in _profiles(enabled))
        off[LIBINPUT_PROFILE] = Value.integers(*flat, bits=8)
    if LIBINPUT_SPEED in values:
        off[LIBINPUT_SPEED] = Value.floats(0)
    if MATRIX in values:
        off[MATRIX] = IDENTITY
    return off


def _profiles(enabled: Value) -> tuple[str, ...]:
    """The names of a LIBINPUT_PROFILE's values."""
    count = len(enabled.items)
    return (*LIBINPUT_PROFILES, *("?",) * count)[:count]


def _libinput_profile(values: Values) -> str:
    enabled = values.get(LIBINPUT_PROFILE)
    if enabled is None:
        return "?"
    chosen = [name for name, on in zip(_profiles(enabled), enabled.items, strict=True) if on]
    return " ".join(chosen) or "none"


def _libinput_speed(values: Values) -> float | None:
    value = values.get(LIBINPUT_SPEED)
    return value.numbers()[0] if value else None


def _server_off(values: Values) -> dict[str, Value]:
    off = {
        SERVER_PROFILE: Value.integers(-1),
        SERVER_DECELERATION: Value.floats(1),
        SERVER_ADAPTIVE: Value.floats(1),
        MATRIX: IDENTITY,
    }
    return {name: value for name, value in off.items() if name in values}


def _server_profile(values: Values) -> str:
    number = int(values[SERVER_PROFILE].numbers()[0])
    return SERVER_PROFILES.get(number, str(number))


def _server_speed(values: Values) -> float | None:
    value = values.get(SERVER_DECELERATION)
    divisor = value.numbers()[0] if value else 0
    return 1 / divisor if divisor else None


LIBINPUT = Scheme(
    (LIBINPUT_SPEED, LIBINPUT_PROFILE, MATRIX), _libinput_off, _libinput_profile, _libinput_speed
)
SERVER = Scheme(
    (SERVER_PROFILE, SERVER_DECELERATION, SERVER_ADAPTIVE, MATRIX),
    _server_off,
    _server_profile,
    _server_speed,
)
SCHEMES = (LIBINPUT, SERVER)
