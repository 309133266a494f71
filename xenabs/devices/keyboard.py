"""The keyboard: every key of the kernel's first and second range, no button of anything else.

Codes 1 to 248 and 0x160 to 0x1ff are keys; between and beyond lie the buttons of mice, joysticks
and pens (linux/input-event-codes.h), which would make udev take the device for one of those.
"""

from evdev import ecodes

from xenabs.devices import virtual
from xenabs.devices.virtual import VirtualDevice

NAME = "xenabs keyboard"
PRODUCT = 0xFFFC

CAPABILITIES: virtual.Capabilities = {
    ecodes.EV_KEY: [
        *range(ecodes.KEY_ESC, ecodes.KEY_MICMUTE + 1),
        *range(ecodes.KEY_OK, 0x200),
    ]
}


def create(vkbd: str) -> VirtualDevice:
    """A new keyboard for what `vkbd` ("vkbd-0") sends. Raises XenabsError if there can be none."""
    return virtual.create(NAME, PRODUCT, CAPABILITIES, vkbd)


def adopt(fd: int) -> VirtualDevice:
    """The keyboard that an earlier process made."""
    return VirtualDevice(fd, CAPABILITIES)
