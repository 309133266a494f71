"""A PVH guest: the frame number is the guest's own here. It is saved and restored, too."""

from collections.abc import Callable

import pytest
from pointing import jump_presses_lost, kernel_harm, misplaced, sample, until_closed, xenbus_states

from testbed import Bed, Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import Service, signal

SIZE = (1365, 767)  # odd, both of them
WANTED = Wanted(kind="pvh", size=SIZE, memory=384)  # all of it is written when it is saved
POINTS = sample(*SIZE, 10)


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
    Service(guest)
    assert kernel_harm(guest) == []


@pytest.mark.parametrize("move", [Guest.save_and_restore, Guest.migrate, Guest.save_and_restore])
def test_the_pointer_is_exact_as_another_domain(
    bed: Bed, guest: Guest, move: Callable[[Guest], None]
) -> None:
    move(guest)
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_checkpoint_and_a_pause_are_not_noticed(bed: Bed, guest: Guest) -> None:
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        bed.dom0.run(["xl", "save", "-c", "guest", "/var/lib/testbed/checkpoint"])
        bed.dom0.run(["rm", "/var/lib/testbed/checkpoint"])
        assert misplaced(pointer, POINTS) == {}
        bed.dom0.run(["xl", "pause", "guest"])
        vnc.pointer(*POINTS[-1])
        vnc.sync()
        bed.dom0.run(["xl", "unpause", "guest"])
        assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_the_daemon_can_end_after_a_restore(guest: Guest) -> None:
    signal(guest, "TERM")
    until_closed(guest)
    assert kernel_harm(guest) == []
