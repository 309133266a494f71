"""A guest with systemd in which xenabs is started and stopped at bad moments, or lacks something.

Afterwards somebody has the pointer: xenabs, or the kernel's driver.
"""

import random

import pytest
from pointing import is_given_back, kernel_harm, misplaced, sample, until, until_given_back

from testbed import Guest, Wanted
from testbed.probe import Pointer
from testbed.rfb import Rfb
from testbed.service import UNIT, status

SIZE = (1280, 800)
WANTED = Wanted(kind="pv", size=SIZE, init="systemd")
POINTS = sample(*SIZE, 6)

STOPS = 12
LATEST = 3.0
"""Seconds after its start until a daemon is stopped or killed."""

MASK = "/etc/modprobe.d/testbed.conf"


def log(guest: Guest) -> str:
    """Return what the daemons have said; the bed's drop-in has it in a file."""
    return guest.run(["cat", "/run/xenabs.log"]).stdout


def kernels_pointer_moves(pointer: Pointer, vnc: Rfb) -> bool:
    places = []
    for place in ((100, 100), (600, 400)):
        vnc.pointer(*place)
        places.append(pointer.fence())
    return places[0] != places[1]


def test_isolate_and_rescue_leave_pointer_and_keyboard(guest: Guest) -> None:
    targets = ("multi-user.target", "rescue.target", "graphical.target")
    # The test bed's connection would be isolated away: one process does it all.
    isolate = " && ".join(f"systemctl isolate {each}" for each in targets)
    guest.run(["systemd-run", "--wait", "-p", "IgnoreOnIsolate=yes", "sh", "-c", isolate])
    assert guest.run(["systemctl", "is-active", UNIT]).stdout.strip() == "active"
    state = status(guest)
    assert (state["frontend"]["state"], state["backend"]["state"]) == ("Connected",) * 2
    assert kernel_harm(guest) == []


@pytest.mark.parametrize("seed", range(STOPS))
def test_stopped_or_killed_while_it_starts_somebody_has_the_device(
    guest: Guest, pointer: Pointer, vnc: Rfb, seed: int
) -> None:
    chance = random.Random(seed)
    if status(guest)["source"] is not None:
        guest.run(["xenabs", "release"])
    delay = chance.uniform(0, LATEST)
    end = chance.choice(["systemctl stop", "systemctl kill -s KILL", "xenabs release #"])
    guest.run(["sh", "-c", f"systemctl start --no-block {UNIT}; sleep {delay}; {end} {UNIT}"])
    if chance.random() < 0.5:
        guest.run(["systemctl", "stop", UNIT])
        guest.run(["xenabs", "release"])
        assert is_given_back(guest)
        assert kernels_pointer_moves(pointer, vnc)
    else:
        guest.run(["systemctl", "start", UNIT])
        until(guest, "xenabs status | grep -q 'frontend *Connected'")
        pointer.fence()
        assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_without_gntalloc_the_device_stays_with_the_kernel_and_nothing_storms(
    guest: Guest, pointer: Pointer, vnc: Rfb
) -> None:
    guest.run(["systemctl", "stop", UNIT])
    guest.run(["sh", "-c", f"echo install xen-gntalloc /bin/false >{MASK}; rmmod xen_gntalloc"])
    before = len(log(guest))
    guest.run(["systemctl", "start", UNIT], check=False)
    until(guest, f"[ $(systemctl show -P NRestarts {UNIT}) -ge 1 ]")
    assert is_given_back(guest)
    assert kernels_pointer_moves(pointer, vnc)
    told = [line for line in log(guest)[before:].splitlines() if "xen-gntalloc" in line]
    assert 1 <= len(told) <= 3
    guest.run(["sh", "-c", f"rm {MASK}; modprobe xen-gntalloc"])
    guest.run(["systemctl", "restart", UNIT])
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_killed_and_never_started_again_the_guardian_gives_the_device_back(
    guest: Guest, pointer: Pointer, vnc: Rfb
) -> None:
    guest.run(["sh", "-c", f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}"])
    until_given_back(guest)
    assert kernels_pointer_moves(pointer, vnc)
    assert kernel_harm(guest) == []
