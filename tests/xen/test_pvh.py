"""A PVH guest: the frame number is the guest's own here."""

from pointing import jump_presses_lost, kernel_harm, misplaced, sample, xenbus_states

from testbed import Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import Service, signal

SIZE = (1280, 800)
WANTED = Wanted(kind="pvh", size=SIZE)


def test_300_points_and_the_corners_are_exact(pointer: Pointer) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, sample(*SIZE, 300)) == {}


def test_a_press_that_jumps_lands_where_it_was_made(window: Pointer, vnc: Rfb) -> None:
    assert jump_presses_lost(window, vnc, sample(*SIZE, 20)) == {}


def test_release_kill_and_end_are_clean(guest: Guest, pointer: Pointer, vnc: Rfb) -> None:
    guest.run(["xenabs", "release"])
    before = pointer.fence()
    vnc.pointer(333, 222)
    assert pointer.fence() != before
    Service(guest)
    signal(guest, "KILL")
    service = Service(guest)
    pointer.fence()
    assert misplaced(pointer, sample(*SIZE, 20)) == {}
    signal(guest, "TERM")
    assert service.wait() == 0
    assert xenbus_states(guest) == ("6", "6")
    assert kernel_harm(guest) == []
