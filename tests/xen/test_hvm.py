"""An HVM guest: its screen is an emulated VGA card's, its pointer vkbd's all the same.

1400 is no multiple of 16: QEMU's VNC server scales by 1408.
"""

import pytest
from pointing import (
    columns,
    jump_presses_lost,
    kernel_harm,
    misplaced,
    sample,
    until_ended,
    xenbus_states,
)

from testbed import Bed, Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import signal, status

SIZE = (1400, 1050)
WANTED = Wanted(kind="hvm", size=SIZE)

MODESETTING = """\
Section "ServerFlags"
    Option "BlankTime" "0"
EndSection
Section "Device"
    Identifier "card"
    Driver "modesetting"
    Option "AccelMethod" "none"
EndSection
Section "Module"
    Disable "glx"
EndSection
"""


def test_every_column_and_some_rows_are_exact(pointer: Pointer, guest: Guest) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, columns(*SIZE)) == {}
    state = status(guest)
    assert (state["screen"], state["scale"]) == ([1400, 1050], [1408, 1050])


def test_a_press_that_jumps_lands_where_it_was_made(window: Pointer, vnc: Rfb) -> None:
    assert jump_presses_lost(window, vnc, sample(*SIZE, 20)) == {}


@pytest.fixture(scope="module")
def modesetting(guest: Guest, bed: Bed, pointer: Pointer, vnc: Rfb) -> None:
    """The guest's X server, started again as the display controller's master."""
    pointer.close()
    vnc.close()
    guest.write(MODESETTING, "/etc/X11/xorg.conf")
    guest.run(["sh", "-c", "p=$(cat /run/testbed/Xorg.pid); kill $p; tail --pid=$p -f /dev/null"])
    guest.run(["/usr/lib/testbed/start-x"])


@pytest.mark.parametrize("mode", ["1280x1024", "1400x1050", "1024x768", "854x480"])
def test_after_a_change_of_the_mode_the_pointer_is_exact(
    guest: Guest, bed: Bed, modesetting: None, mode: str
) -> None:
    """854 is no multiple of 8 either, to which QEMU's VGA cuts a width."""
    width, height = map(int, mode.split("x"))
    timing = [*range(width, width + 4), *range(height, height + 4)]
    for words in (
        ["--newmode", mode, "40", *map(str, timing)],
        ["--addmode", "Virtual-1", mode],
        ["--output", "Virtual-1", "--mode", mode],
    ):
        guest.run(["xrandr", *words], check=words[0] == "--output")
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert pointer.screen == (width, height)
        points = [p for p in sample(width, height, 40) if p[0] < vnc.width]
        assert misplaced(pointer, points) == {}
    assert status(guest)["screen"] == [width, height]


def test_the_end_is_clean(guest: Guest) -> None:
    signal(guest, "TERM")
    until_ended(guest)
    assert xenbus_states(guest) == ("6", "6")
    assert kernel_harm(guest) == []
