"""A PV guest of 1280 x 800: every pixel, every button, and the life of the daemon."""

import string

import pytest
from pointing import (
    clicks,
    counters,
    driver,
    every_pixel,
    is_given_back,
    jump_presses_lost,
    kernel_harm,
    misplaced,
    sample,
    until_ended,
    until_given_back,
    xenbus_states,
)

from testbed import Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import LEFT, MIDDLE, RIGHT, WHEEL_DOWN, WHEEL_UP, Rfb
from testbed.service import Service, signal, status

SIZE = (1280, 800)
WANTED = Wanted(kind="pv", size=SIZE)
SHIFT = 0xFFE1
POINTS = sample(*SIZE, 20)


def test_every_pixel_is_the_one_the_vnc_client_named(pointer: Pointer) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, every_pixel(*SIZE)) == {}


def test_a_press_that_jumps_lands_where_it_was_made(window: Pointer, vnc: Rfb) -> None:
    assert jump_presses_lost(window, vnc, sample(*SIZE, 60)) == {}


@pytest.mark.parametrize(
    "mask, button",
    [(LEFT, 1), (MIDDLE, 2), (RIGHT, 3), (WHEEL_UP, 4), (WHEEL_DOWN, 5)],
    ids=["left", "middle", "right", "wheel up", "wheel down"],
)
def test_each_button_and_wheel_step_arrives_once(
    window: Pointer, vnc: Rfb, mask: int, button: int
) -> None:
    vnc.click(300, 200, mask)
    window.fence()
    assert clicks(window, 0) == [(button, True, (300, 200)), (button, False, (300, 200))]


def test_a_drag_ends_where_the_button_was_let_go(window: Pointer, vnc: Rfb) -> None:
    vnc.pointer(100, 100, LEFT)
    vnc.pointer(640, 410, LEFT)
    vnc.pointer(1001, 777, 0)
    assert clicks(window, 2) == [(1, True, (100, 100)), (1, False, (1001, 777))]


def test_a_sentence_typed_is_the_sentence_read(window: Pointer, vnc: Rfb) -> None:
    sentence = "Sphinx of black quartz, judge my 12 vows - then 34567890 more/less; ok."
    for letter in sentence:
        shifted = letter in string.ascii_uppercase
        if shifted:
            vnc.key(SHIFT, True)
        vnc.type(ord(letter))
        if shifted:
            vnc.key(SHIFT, False)
    window.fence()
    pressed = [e["text"] for e in window.events() if e["event"] == "key" and e["down"]]
    assert "".join(pressed) == sentence


def test_a_vnc_client_outside_the_screen_stays_at_its_edge(pointer: Pointer, vnc: Rfb) -> None:
    right, bottom = SIZE[0] - 1, SIZE[1] - 1
    for named, there in [
        ((SIZE[0], 10), (right, 10)),
        ((65535, 65535), (right, bottom)),
        ((7, 3000), (7, bottom)),
    ]:
        pointer.move_and_read(500, 400)
        vnc.pointer(*named)
        assert pointer.fence() == there


def test_a_position_is_obeyed_after_a_program_moved_the_pointer(
    pointer: Pointer, guest: Guest, vnc: Rfb
) -> None:
    pointer.move_and_read(400, 300)
    guest.run(
        [
            *("python3", "-c"),
            "from Xlib.display import Display; d = Display(); "
            "d.screen().root.warp_pointer(5, 5); d.sync()",
        ]
    )
    assert pointer.query() == (5, 5)
    vnc.pointer(400, 300)
    assert pointer.fence() == (400, 300)


def test_status_counts_what_happens(pointer: Pointer, guest: Guest) -> None:
    before = counters(guest)
    for x in range(10, 20):
        pointer.move_and_read(x, 50)
    state = status(guest)
    assert state["source"] == "ring"
    assert state["backend"]["state"] == state["frontend"]["state"] == "Connected"
    # The state file is as old as one tick at most; the way there takes longer.
    after = state["counters"]
    assert after["positions"] > before["positions"]
    assert after["ignored"] == after["refused"] == after["overruns"] == 0


def test_a_second_frontend_is_told_who_has_the_device(guest: Guest) -> None:
    second = guest.run(["xenabs", "run"], check=False)
    assert second.returncode == 1
    assert f"process id {status(guest)['pid']}" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert xenbus_states(guest) == ("4", "4")


def test_the_kernels_driver_gets_the_device_and_gives_it_five_times(
    guest: Guest, pointer: Pointer, vnc: Rfb
) -> None:
    for turn in range(5):
        guest.run(["xenabs", "release"])
        assert xenbus_states(guest) == ("4", "4")
        assert driver(guest) == "vkbd"
        nodes = guest.run(["xenstore-ls", "device/vkbd/0"]).stdout
        assert "request-raw-pointer" not in nodes
        before = pointer.fence()
        vnc.pointer(100 + 10 * turn, 500)
        assert pointer.fence() != before
        Service(guest)
        pointer.fence()
        assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_button_held_when_the_daemon_ends_is_let_go(
    guest: Guest, window: Pointer, vnc: Rfb
) -> None:
    vnc.pointer(200, 200, LEFT)
    assert clicks(window, 1) == [(1, True, (200, 200))]
    signal(guest, "TERM")
    assert clicks(window, 1) == [(1, False, (200, 200))]
    vnc.pointer(200, 200, 0)
    Service(guest)
    window.fence()
    assert misplaced(window, POINTS) == {}


def test_a_next_daemon_goes_on_where_a_killed_one_was(
    guest: Guest, window: Pointer, vnc: Rfb
) -> None:
    signal(guest, "KILL")
    places = POINTS[:10]  # the ring has room for these
    for place in places:
        vnc.click(*place, WHEEL_UP)
    vnc.sync()
    Service(guest)
    window.fence()
    turned = [(4, down, place) for place in places for down in (True, False)]
    assert clicks(window, 0) == turned
    assert kernel_harm(guest) == []


def test_when_no_daemon_comes_the_guardian_gives_the_device_back(
    guest: Guest, pointer: Pointer
) -> None:
    signal(guest, "KILL")
    until_given_back(guest)
    Service(guest)
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_where_the_frame_number_is_hidden_the_device_stays_with_the_kernel(guest: Guest) -> None:
    guest.run(["xenabs", "release"])
    guest.run(["sysctl", "kernel.kptr_restrict=2"])
    refused = guest.run(["xenabs", "run"], check=False)
    guest.run(["sysctl", "kernel.kptr_restrict=0"])
    assert refused.returncode == 1
    assert "kernel.kptr_restrict" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert driver(guest) == "vkbd"
    Service(guest)


def test_the_end_leaves_the_device_to_the_kernel_and_its_log_clean(guest: Guest) -> None:
    service = Service(guest) if status(guest)["source"] is None else None
    signal(guest, "TERM")
    if service is not None:
        assert service.wait() == 0
    until_ended(guest)
    assert is_given_back(guest)
    assert kernel_harm(guest) == []
