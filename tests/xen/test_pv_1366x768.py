"""A PV guest whose width is no multiple of 16: QEMU's VNC server scales by 1376.

Its framebuffer changes its size while xenabs runs, to one that is a multiple and back.
"""

import pytest
from pointing import columns, jump_presses_lost, kernel_harm, misplaced, sample

from testbed import Bed, Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import status

SIZE = (1366, 768)
WANTED = Wanted(kind="pv", size=SIZE)

#: FBIOPUT_VSCREENINFO (linux/fb.h) of a struct that begins with xres, yres and the virtual two
SET_SIZE = """
import fcntl, struct, sys
width, height = map(int, sys.argv[1:])
data = bytearray(160)
with open("/dev/fb0", "r+b", buffering=0) as framebuffer:
    fcntl.ioctl(framebuffer, 0x4600, data)
    struct.pack_into("4I", data, 0, width, height, width, height)
    fcntl.ioctl(framebuffer, 0x4601, data)
"""


def test_every_column_and_some_rows_are_exact(pointer: Pointer, guest: Guest) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, columns(*SIZE)) == {}
    state = status(guest)
    assert (state["screen"], state["scale"]) == ([1366, 768], [1376, 768])
    assert state["counters"]["unfitting"] == 0
    assert "scaled by 1376 x 768" in guest.run(["xenabs", "status"]).stdout


def test_a_press_that_jumps_lands_where_it_was_made(window: Pointer, vnc: Rfb) -> None:
    assert jump_presses_lost(window, vnc, sample(*SIZE, 20)) == {}


def test_what_a_viewer_names_beyond_the_screen_is_at_its_edge(pointer: Pointer, vnc: Rfb) -> None:
    """Older QEMUs tell a viewer of 1376 pixels."""
    for x in (1366, 1370, 1375):
        vnc.pointer(x, 300)
        assert pointer.fence() == (1365, 300)
        assert misplaced(pointer, [(700, 300)]) == {}


@pytest.mark.parametrize("size", [(1024, 768), SIZE, (850, 600), (800, 600)])
def test_after_a_change_of_the_framebuffer_the_pointer_is_exact(
    guest: Guest, bed: Bed, size: tuple[int, int]
) -> None:
    daemon = status(guest)["pid"]
    guest.run(["sh", "-c", "p=$(cat /run/testbed/Xorg.pid); kill $p; tail --pid=$p -f /dev/null"])
    guest.run(["python3", "-c", SET_SIZE, *map(str, size)])
    guest.run(["/usr/lib/testbed/start-x"])
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert pointer.screen == size
        assert misplaced(pointer, sample(*size, 40)) == {}
    state = status(guest)
    assert (state["screen"], state["pid"]) == ([*size], daemon)


def test_the_kernel_log_is_clean(guest: Guest) -> None:
    assert kernel_harm(guest) == []
