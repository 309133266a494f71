"""A virtual input device: made with uinput, or one that an earlier process of ours made."""

import fcntl
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from evdev import InputDevice, UInput, UInputError, ecodes

from xenabs.errors import XenabsError
from xenabs.kbdif.ring import NOWHERE, Output

Capabilities = dict[int, Sequence[Any]]
"""Codes, or pairs of code and AbsInfo, by event type, as python-evdev takes them."""

VENDOR = 0x5853
"""XenSource's PCI vendor number, which xen-kbdfront gives its devices too."""

UI_GET_SYSNAME = 0x8040552C
"""UI_GET_SYSNAME(64) of linux/uinput.h: the name of a device below SYSFS."""
SYSFS = Path("/sys/devices/virtual/input")


class VirtualDevice:
    """A uinput device by its descriptor; it goes when the descriptor's last copy is closed."""

    def __init__(self, fd: int, capabilities: Capabilities) -> None:
        self.output = Output(fd, frozenset(capabilities[ecodes.EV_KEY]))

    def close(self) -> None:
        """Close our copy of the descriptor."""
        os.close(self.output.fd)

    def down(self) -> frozenset[int]:
        """The keys and buttons that are down, as the kernel has it."""
        with closing(self._node()) as node:
            return frozenset(node.active_keys())

    def position(self) -> tuple[int, int]:
        """The axis values written last, as the kernel has them; NOWHERE without axes."""
        with closing(self._node()) as node:
            if ecodes.EV_ABS not in node.capabilities():
                return NOWHERE
            return node.absinfo(ecodes.ABS_X).value, node.absinfo(ecodes.ABS_Y).value

    def _node(self) -> "InputDevice[str]":
        name = bytearray(64)
        fcntl.ioctl(self.output.fd, UI_GET_SYSNAME, name)
        (event,) = (SYSFS / name.split(b"\0")[0].decode()).glob("event*")
        return InputDevice(f"/dev/input/{event.name}")


def create(name: str, product: int, capabilities: Capabilities, vkbd: str) -> VirtualDevice:
    """A new uinput device for what `vkbd` ("vkbd-0") sends.

    Raises XenabsError without the module or the right.
    """
    try:
        made = UInput(
            capabilities,
            name=name,
            vendor=VENDOR,
            product=product,
            phys=f"xen-{vkbd}",
            bustype=ecodes.BUS_VIRTUAL,
        )
    except (UInputError, OSError) as error:
        raise XenabsError(
            f"no virtual input device can be made ({error}): modprobe uinput, and run xenabs as "
            "root"
        ) from error
    # UInput.close() would end the device for whoever else has the descriptor, too.
    return VirtualDevice(made.fd, capabilities)
