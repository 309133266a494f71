"""An HVM guest: its screen is an emulated VGA card's, its pointer vkbd's all the same."""

from pointing import jump_presses_lost, kernel_harm, misplaced, sample, until_ended, xenbus_states

from testbed import Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import signal

SIZE = (1280, 800)
WANTED = Wanted(kind="hvm", size=SIZE)


def test_100_points_and_the_corners_are_exact(pointer: Pointer) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, sample(*SIZE, 100)) == {}


def test_a_press_that_jumps_lands_where_it_was_made(window: Pointer, vnc: Rfb) -> None:
    assert jump_presses_lost(window, vnc, sample(*SIZE, 20)) == {}


def test_the_end_is_clean(guest: Guest) -> None:
    signal(guest, "TERM")
    until_ended(guest)
    assert xenbus_states(guest) == ("6", "6")
    assert kernel_harm(guest) == []
