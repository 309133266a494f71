"""Properties of X input devices, to the last bit."""

import struct
from dataclasses import dataclass
from typing import Any

from Xlib import X
from Xlib.display import Display

from xenabs.x11 import workarounds

#: of 4 bytes; many times the longest that drivers have
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Value:
    """What a property holds.

    `type` is the name of its atom, such as INTEGER or FLOAT; `bits` is 8, 16 or 32; `items` are
    unsigned numbers of so many bits, whatever they mean.
    """

    type: str
    bits: int
    items: tuple[int, ...]

    @classmethod
    def recorded(cls, kind: Any, bits: Any, items: Any) -> "Value":
        """One that was kept somewhere; TypeError or ValueError for what cannot be one."""
        value = cls(kind, bits, tuple(items))
        if (
            isinstance(kind, str)
            and bits in (8, 16, 32)
            and all(isinstance(each, int) and 0 <= each < 1 << bits for each in value.items)
        ):
            return value
        raise ValueError

    @classmethod
    def integers(cls, *numbers: int, bits: int = 32) -> "Value":
        """Signed numbers, as the type INTEGER has them."""
        return cls("INTEGER", bits, tuple(workarounds.unsigned(each, bits) for each in numbers))

    @classmethod
    def floats(cls, *numbers: float) -> "Value":
        """Numbers as XInput's type FLOAT has them: 32 bits of IEEE 754."""
        return cls("FLOAT", 32, struct.unpack(f"={len(numbers)}I", _floats(*numbers)))

    def numbers(self) -> tuple[float, ...]:
        """What they mean: floats of a FLOAT, signed numbers of an INTEGER, others as they are."""
        if self.type == "FLOAT" and self.bits == 32:
            count = len(self.items)
            return struct.unpack(f"={count}f", struct.pack(f"={count}I", *self.items))
        if self.type == "INTEGER":
            return tuple(workarounds.signed(each, self.bits) for each in self.items)
        return self.items


def _floats(*numbers: float) -> bytes:
    return struct.pack(f"={len(numbers)}f", *numbers)


def names(display: Display, device: int) -> list[str]:
    """The names of a device's properties, in the server's order. Raises Xlib's XError."""
    return [
        display.get_atom_name(int(atom))
        for atom in display.xinput_list_device_properties(device).atoms
    ]


def get(display: Display, device: int, name: str) -> Value | None:
    """What a device's property holds; None if it has none of this name. Raises Xlib's XError."""
    atom = display.get_atom(name, only_if_exists=True)
    if atom == X.NONE:
        return None
    reply = display.xinput_get_device_property(device, atom, X.AnyPropertyType, 0, _LONGEST)
    if reply.type == X.NONE:
        return None
    bits, items = reply.value
    return Value(display.get_atom_name(reply.type), bits, tuple(items))


def put(display: Display, device: int, name: str, value: Value) -> None:
    """Give a device's property this value, creating it if need be.

    Raises Xlib's XError if the server or the driver refuses.
    """
    workarounds.change_device_property(
        display,
        device,
        display.get_atom(name),
        display.get_atom(value.type),
        value.bits,
        value.items,
    )


def delete(display: Display, device: int, name: str) -> None:
    """Take a property away. Raises Xlib's XError if the server or the driver refuses."""
    workarounds.delete_device_property(display, device, display.get_atom(name))
