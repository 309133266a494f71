"""The tablet: an absolute pointer with five buttons and a wheel.

Two axes, buttons and wheels, no property: what QEMU's USB tablet looks like, too. Measured with
libinput, Xorg's evdev driver and weston: hover, buttons and wheels work in each. A pen's or a
touchscreen's buttons would turn it into one that does not hover; REL_X and REL_Y into a mouse;
high-resolution wheel codes that are declared and not sent make libinput scroll twice.
"""

from evdev import AbsInfo, ecodes

from xenabs.devices import virtual
from xenabs.devices.virtual import VirtualDevice
from xenabs.geometry import AXIS_MAX

NAME = "xenabs tablet"
PRODUCT = 0xFFFD
"""xen-kbdfront has 0xfffe (pointer) and 0xffff (keyboard)."""

_AXIS = AbsInfo(value=0, min=0, max=AXIS_MAX, fuzz=0, flat=0, resolution=0)

CAPABILITIES: virtual.Capabilities = {
    ecodes.EV_KEY: [
        ecodes.BTN_LEFT,
        ecodes.BTN_RIGHT,
        ecodes.BTN_MIDDLE,
        ecodes.BTN_SIDE,
        ecodes.BTN_EXTRA,
    ],
    ecodes.EV_ABS: [(ecodes.ABS_X, _AXIS), (ecodes.ABS_Y, _AXIS)],
    ecodes.EV_REL: [ecodes.REL_WHEEL, ecodes.REL_HWHEEL],
}


def create(vkbd: str) -> VirtualDevice:
    """A new tablet for what `vkbd` ("vkbd-0") sends. Raises XenabsError if there can be none."""
    return virtual.create(NAME, PRODUCT, CAPABILITIES, vkbd)


def adopt(fd: int) -> VirtualDevice:
    """The tablet that an earlier process made."""
    return VirtualDevice(fd, CAPABILITIES)
