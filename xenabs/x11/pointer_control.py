"""The core pointer control: X's oldest acceleration, one for all pointers, which `xset m` sets.

Drivers that have the server accelerate multiply by it, unless their profile is "none"; libinput
takes no notice of it.
"""

from dataclasses import dataclass

from Xlib import X, Xatom
from Xlib.display import Display

from xenabs.x11 import workarounds
from xenabs.x11.grab import grabbed

RECORD = "xenabs Pointer Control Before"
"""The property of the root window that keeps what it was before `switch_off`: as the server, it has
no longer life than that. Three INTEGERs: numerator, denominator, threshold."""


@dataclass(frozen=True)
class PointerControl:
    """Motion of more than `threshold` pixels at once is multiplied by a fraction.

    `switched_off` says whether xenabs has done it, and has what it was before.
    """

    numerator: int
    denominator: int
    threshold: int
    switched_off: bool

    @property
    def accelerated(self) -> bool:
        """Whether a pixel may become anything else."""
        return self.numerator != self.denominator


def read(display: Display) -> PointerControl:
    """How it is now."""
    now = display.get_pointer_control()
    return PointerControl(
        now.accel_num, now.accel_denom, now.threshold, _before(display) is not None
    )


def switch_off(display: Display) -> bool:
    """Make it 1/1, threshold 0; False if it changes nothing as it is."""
    with grabbed(display):
        now = read(display)
        if not now.accelerated:
            return False
        values = (now.numerator, now.denominator, now.threshold)
        display.screen().root.change_property(
            display.get_atom(RECORD), Xatom.INTEGER, 32, values, X.PropModeReplace
        )
        workarounds.change_pointer_control(display, 1, 1, 0)
        return True


def switch_on(display: Display) -> bool:
    """Make it what it was before; False if xenabs has not changed it."""
    before = _before(display)
    if before is None:
        return False
    workarounds.change_pointer_control(display, *before)
    display.screen().root.delete_property(display.get_atom(RECORD))
    display.sync()
    return True


def toggle(display: Display) -> bool:
    """Switch it on if xenabs has switched it off, otherwise off; False if it is neither."""
    now = read(display)
    if now.switched_off and not now.accelerated:
        return switch_on(display)
    return switch_off(display)


def _before(display: Display) -> tuple[int, int, int] | None:
    reply = display.screen().root.get_property(display.get_atom(RECORD), Xatom.INTEGER, 0, 3)
    values = () if reply is None else tuple(reply.value)
    # Others are not of xenabs, nor such as the server takes.
    if len(values) != 3 or not all(0 <= each < 1 << 15 for each in values) or not values[1]:
        return None
    numerator, denominator, threshold = values
    return numerator, denominator, threshold
