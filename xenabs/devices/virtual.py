"""Making a uinput device, or saying why not."""

from collections.abc import Sequence
from typing import Any

from evdev import UInput, UInputError, ecodes

from xenabs.errors import XenabsError
from xenabs.kbdif.ring import Output

Capabilities = dict[int, Sequence[Any]]
"""Codes, or pairs of code and AbsInfo, by event type, as python-evdev takes them."""

VENDOR = 0x5853
"""XenSource's PCI vendor number, which xen-kbdfront gives its devices too."""


def create(name: str, product: int, capabilities: Capabilities) -> UInput:
    """A new uinput device. Raises XenabsError without the module or the right."""
    try:
        return UInput(
            capabilities,
            name=name,
            vendor=VENDOR,
            product=product,
            bustype=ecodes.BUS_VIRTUAL,
            phys="xenabs/input0",
        )
    except (UInputError, OSError) as error:
        raise XenabsError(
            f"no virtual input device can be made ({error}): modprobe uinput, and run xenabs as "
            "root"
        ) from error


def output(device: UInput, capabilities: Capabilities) -> Output:
    """The device as the pump writes to it."""
    return Output(device.fd, frozenset(capabilities[ecodes.EV_KEY]))
