"""What must hold in every guest, whatever its suite, kind and screen: the core of the tests.

A module with a WANTED gets them by ``from core import *``; `make matrix` runs them for each guest
that README names. A failure is one sentence first, which the table of the matrix shows.
"""

import string
from collections.abc import Iterator
from contextlib import contextmanager

from pointing import (
    clicks,
    driver,
    jump_presses_lost,
    kernel_harm,
    misplaced,
    sample,
    until_given_back,
    xenbus_states,
)
from units import shown, until_another_is_ready

from testbed import Bed, Guest
from testbed.probe import Pointer
from testbed.rfb import LEFT, MIDDLE, RIGHT, WHEEL_DOWN, WHEEL_UP, Rfb
from testbed.service import UNIT, Service, signal

#: in the order in which they run: after a restore the module's VNC connection is gone
__all__ = [  # noqa: RUF022
    "test_exact",
    "test_clicks",
    "test_keys",
    "test_kill_9",
    "test_release",
    "test_save_and_restore",
    "test_clean_end",
]

SHIFT = 0xFFE1
BUTTONS = {LEFT: 1, MIDDLE: 2, RIGHT: 3, WHEEL_UP: 4, WHEEL_DOWN: 5}


def start(guest: Guest) -> None:
    """Start the daemon, and wait until it is connected."""
    if guest.wanted.init == "systemd":
        guest.run(["systemctl", "start", UNIT])
    else:
        Service(guest)


@contextmanager
def killed(guest: Guest) -> Iterator[None]:
    """Kill the daemon; at the end of the with statement the next one is connected."""
    systemds = guest.wanted.init == "systemd"
    pid = shown(guest, "MainPID") if systemds else ""
    signal(guest, "KILL")
    yield
    if systemds:
        until_another_is_ready(guest, pid)
    else:
        Service(guest)


def require_exact(pointer: Pointer, guest: Guest, count: int) -> None:
    """Fail if the corners or any of `count` more points is misplaced."""
    points = sample(*guest.wanted.size, count)
    wrong = misplaced(pointer, points)
    worst = max((abs(x - a) + abs(y - b) for (x, y), (a, b) in wrong.items()), default=0)
    assert not wrong, f"{len(wrong)} of {len(points)} points are misplaced, by up to {worst} pixels"


def require_no_harm(guest: Guest) -> None:
    """Fail if the kernel's log has a warning."""
    harm = kernel_harm(guest)
    assert not harm, f"the guest's kernel says: {harm[0]}"


def test_exact(guest: Guest, pointer: Pointer) -> None:
    assert pointer.screen == guest.wanted.size, f"the screen is {pointer.screen}"
    require_exact(pointer, guest, 100)


def test_clicks(guest: Guest, window: Pointer, vnc: Rfb) -> None:
    points = sample(*guest.wanted.size, 20)
    lost = jump_presses_lost(window, vnc, points)
    assert not lost, f"{len(lost)} of {len(points)} clicks did not land where they were made"
    place = points[-1]
    for mask, button in BUTTONS.items():
        vnc.click(*place, mask)
        window.fence()
        seen = clicks(window, 0)
        wanted = [(button, True, place), (button, False, place)]
        assert seen == wanted, f"a click of button {button} arrives as {seen}"


def test_keys(window: Pointer, vnc: Rfb) -> None:
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
    typed = "".join(pressed)
    assert typed == sentence, f"the sentence typed arrives as {typed!r}"


def test_kill_9(guest: Guest, window: Pointer, vnc: Rfb) -> None:
    places = sample(*guest.wanted.size, 6)
    with killed(guest):
        for place in places:
            vnc.click(*place, WHEEL_UP)
        vnc.sync()
    window.fence()
    seen = clicks(window, 0)
    turned = [(4, down, place) for place in places for down in (True, False)]
    right = len([event for event in seen if event in turned])
    assert seen == turned, (
        f"after kill -9, {right} of {len(turned)} events arrive as they were made"
    )
    require_no_harm(guest)


def test_release(guest: Guest, pointer: Pointer, vnc: Rfb) -> None:
    guest.run(["xenabs", "release"])
    states = xenbus_states(guest)
    assert (driver(guest), *states) == ("vkbd", "4", "4"), f"released, its ends are at {states}"
    before = pointer.fence()
    vnc.pointer(333, 222)
    assert pointer.fence() != before, "the kernel's pointer does not move once it is released"
    start(guest)
    pointer.fence()
    require_exact(pointer, guest, 10)
    require_no_harm(guest)


def test_save_and_restore(bed: Bed, guest: Guest) -> None:
    guest.save_and_restore()
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        require_exact(pointer, guest, 20)
    require_no_harm(guest)


def test_clean_end(guest: Guest) -> None:
    if guest.wanted.init == "systemd":
        guest.run(["systemctl", "stop", UNIT])
    else:
        signal(guest, "TERM")
    until_given_back(guest)
    require_no_harm(guest)
