"""A whole Debian with systemd and xenabs' package: nobody logs in, nothing ends the pointer."""

import time

import pytest
from accelerating import ASKED
from campaign import run as campaign
from pointing import (
    HARM,
    clicks,
    driver,
    kernel_harm,
    misplaced,
    sample,
    until,
    until_closed,
    xenbus_states,
)
from units import shown, until_another_is_ready

from testbed import Bed, Guest, Wanted, backend, cache, deb, suites
from testbed.mouse import PATTERNS, Mouse
from testbed.probe import Pointer
from testbed.rfb import LEFT, Rfb
from testbed.service import UNIT, status
from testbed.silent_backend import SilentBackend

SIZE = (1280, 800)
WANTED = Wanted(kind="pv", size=SIZE, init="systemd", memory=384)
SEED = 1970
POINTS = sample(*SIZE, 20)
TEST_BEDS = {"/etc/systemd/system/xenabs@.service.d", "/run/xenabs.log"}
KILL_DAEMON = ("systemctl", "kill", "-s", "KILL", "--kill-who=main", UNIT)
KILL_ALL_OF_XENABS = ("pkill", "-KILL", "-f", "^@xenabs-guardian|/usr/bin/xenabs")


def put_package(guest: Guest, version_suffix: str = "") -> str:
    """The checkout's Debian package as a file in the guest."""
    with cache.locked():
        file = deb.obtain(suites.find(guest.wanted.suite), version_suffix)
    guest.put(file, "/tmp/")
    return f"/tmp/{file.name}"


def administer(guest: Guest, *words: str) -> None:
    """Change packages."""
    guest.run(["env", "DEBIAN_FRONTEND=noninteractive", *words], timeout=300)


def traces(guest: Guest) -> set[str]:
    """Files and directories of the package, and what it has left where it writes."""
    places = ["/etc", "/run", "/usr", "/var/lib/systemd"]
    found = guest.run(["find", *places, "-xdev", "-name", "*xenabs*"]).stdout
    return {path for path in found.splitlines() if path not in TEST_BEDS}


def test_udev_has_started_the_service_and_it_is_ready(guest: Guest, pointer: Pointer) -> None:
    assert shown(guest, "ActiveState") == "active"
    assert shown(guest, "StatusText").startswith("ring, backend Connected")
    assert misplaced(pointer, POINTS) == {}


def test_the_devices_have_names_that_do_not_change(guest: Guest) -> None:
    names = [f"/dev/input/by-path/xen-vkbd-0-event-{kind}" for kind in ("mouse", "kbd")]
    assert (
        guest.run(["stat", "-L", "-c", "%a %U", *names]).stdout.split("\n")[:2] == ["660 root"] * 2
    )


def test_the_package_has_xens_relative_pointers_move_as_far_as_asked(guest: Guest) -> None:
    with Mouse(guest, ":0") as mouse:
        mouse.plug("Xen Virtual Pointer")
        moved = {
            name: mouse.displacement("Xen Virtual Pointer", steps)[":0"]
            for name, steps in PATTERNS.items()
        }
    assert moved == ASKED


@pytest.mark.parametrize(
    "end",
    [KILL_DAEMON, KILL_ALL_OF_XENABS, ("systemctl", "kill", "--kill-who=main", "-s", "HUP", UNIT)],
    ids=["killed", "killed with its guardian", "handed over"],
)
def test_a_drag_goes_on_when_the_daemon_ends(
    guest: Guest, window: Pointer, vnc: Rfb, end: tuple[str, ...]
) -> None:
    pid = shown(guest, "MainPID")
    vnc.pointer(200, 200, LEFT)
    assert clicks(window, 1) == [(1, True, (200, 200))]
    guest.run(end)
    vnc.pointer(600, 500, LEFT)  # while nobody reads the ring
    vnc.pointer(700, 510, 0)
    until_another_is_ready(guest, pid)
    assert clicks(window, 1) == [(1, False, (700, 510))]
    assert status(guest)["connections"] == 1
    assert xenbus_states(guest) == ("4", "4")
    assert kernel_harm(guest) == []


def test_a_drag_goes_on_when_the_daemon_hangs(guest: Guest, window: Pointer, vnc: Rfb) -> None:
    drop_ins = "/run/systemd/system/xenabs@.service.d"
    words = ["install", "-D", "/dev/stdin", f"{drop_ins}/sooner.conf"]
    guest.run(words, stdin="[Service]\nWatchdogSec=6\n")
    guest.run(["systemctl", "daemon-reload"])
    guest.run(["systemctl", "restart", UNIT])
    pid = shown(guest, "MainPID")
    window.fence()
    vnc.pointer(200, 200, LEFT)
    assert clicks(window, 1) == [(1, True, (200, 200))]
    guest.run(["kill", "-STOP", pid])
    vnc.pointer(700, 510, 0)
    until_another_is_ready(guest, pid)
    assert clicks(window, 1) == [(1, False, (700, 510))]
    guest.run(["rm", "-r", drop_ins])
    guest.run(["systemctl", "daemon-reload"])
    guest.run(["systemctl", "restart", UNIT])  # the watchdog is that of the start
    said = guest.run(["journalctl", "-q", "-o", "cat", "-u", UNIT]).stdout
    assert "Watchdog timeout" in said
    assert "status=14/ALRM" not in said  # the clock of a daemon that ends
    assert kernel_harm(guest) == []


def test_stop_closes_whatever_was_done_to_the_unit_before(guest: Guest, pointer: Pointer) -> None:
    guest.run(["systemctl", "daemon-reload"])
    guest.run(["systemctl", "mask", "--runtime", UNIT])
    guest.run(["systemctl", "stop", UNIT])
    assert xenbus_states(guest) == ("6", "6")
    guest.run(["systemctl", "unmask", "--runtime", UNIT])
    guest.run(["systemctl", "start", UNIT])
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_device_that_was_released_stays_with_the_kernel(guest: Guest, pointer: Pointer) -> None:
    guest.run(["xenabs", "release"])
    assert shown(guest, "ActiveState") == "inactive"
    assert driver(guest) == "vkbd"
    guest.run(["systemctl", "start", UNIT])
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}


def test_a_backend_that_does_not_answer_the_close_keeps_the_page(
    bed: Bed, guest: Guest, pointer: Pointer
) -> None:
    backend.stop(guest)
    guest.run(["systemctl", "stop", UNIT])
    assert shown(guest, "Result") == "exit-code"
    assert xenbus_states(guest) == ("5", "4")
    backend.go_on(guest)
    until_closed(guest)
    guest.run(["systemctl", "start", UNIT])
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_drag_goes_on_over_an_upgrade(guest: Guest, window: Pointer, vnc: Rfb) -> None:
    file = put_package(guest, "+1")
    pid = shown(guest, "MainPID")
    vnc.pointer(200, 200, LEFT)
    assert clicks(window, 1) == [(1, True, (200, 200))]
    administer(guest, "apt-get", "-qq", "install", file)
    vnc.pointer(700, 510, 0)
    until_another_is_ready(guest, pid)
    assert clicks(window, 1) == [(1, False, (700, 510))]
    assert guest.run(["dpkg-query", "-Wf", "${Version}", "xenabs"]).stdout.endswith("+1")
    assert kernel_harm(guest) == []


def test_removed_it_leaves_the_kernels_driver_and_no_file(guest: Guest, pointer: Pointer) -> None:
    administer(guest, "apt-get", "-qq", "--yes", "remove", "xenabs")
    assert xenbus_states(guest) == ("4", "4")
    assert driver(guest) == "vkbd"
    pointer.fence()
    assert misplaced(pointer, POINTS) != {}
    assert traces(guest) == set()
    assert kernel_harm(guest) == []


def test_the_pointer_is_exact_after_an_installation(guest: Guest, pointer: Pointer) -> None:
    administer(guest, "apt-get", "-qq", "install", put_package(guest))
    until(guest, f"systemctl is-active -q {UNIT}")
    pointer.fence()
    assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_backend_that_was_killed_is_found_again(bed: Bed, guest: Guest) -> None:
    connections = status(guest)["connections"]
    backend.kill(guest)
    backend.start(guest)
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert misplaced(pointer, POINTS) == {}
    assert status(guest)["connections"] == connections + 1
    assert kernel_harm(guest) == []


def test_a_device_that_is_detached_and_attached_is_served_again(bed: Bed, guest: Guest) -> None:
    backend.detach(guest)
    until(guest, f"! systemctl is-active -q {UNIT}")
    backend.attach(guest)
    until(guest, f"systemctl is-active -q {UNIT}")
    # The next one comes while the daemon still ends for the last one.
    pid = shown(guest, "MainPID")
    backend.detach(guest)
    backend.attach(guest)
    until_another_is_ready(guest, pid)
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert misplaced(pointer, POINTS) == {}
    assert kernel_harm(guest) == []


def test_a_second_device_has_a_service_of_its_own(bed: Bed, guest: Guest) -> None:
    backend.attach(guest)
    until(guest, "systemctl is-active -q xenabs@vkbd-1.service")
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert misplaced(pointer, POINTS) == {}
        backend.detach(guest, 1)
        until(guest, "! systemctl is-active -q xenabs@vkbd-1.service")
        assert misplaced(pointer, POINTS) == {}
    assert shown(guest, "ActiveState") == "active"
    assert kernel_harm(guest) == []


def test_a_backend_that_does_not_answer_is_waited_for_and_asked_anew(guest: Guest) -> None:
    silent = SilentBackend(guest, 1)
    # First it is the kernel's driver's, which is led to Closed.
    silent.await_frontend(5)
    silent.write(state=5)
    silent.await_frontend(6)
    silent.write(state=6)
    silent.await_frontend(1)
    silent.write(state=2)
    silent.await_frontend(3)
    unit = "xenabs@vkbd-1.service"
    used = int(shown(guest, "CPUUsageNSec", unit))
    time.sleep(2)  # in which nothing is to happen
    assert int(shown(guest, "CPUUsageNSec", unit)) == used
    state = status(guest, "vkbd-1")
    ends = state["frontend"]["state"], state["backend"]["state"]
    assert (*ends, state["backend"]["features"]) == ("Initialised", "InitWait", [])

    silent.write(feature_abs_pointer=1, feature_raw_pointer=1, width=800, height=600, state=6)
    silent.await_frontend(1)
    silent.write(state=2)
    silent.await_frontend(3)
    assert silent.frontends("request-abs-pointer", "request-raw-pointer") == ["1", "1"]
    silent.write(state=4)
    silent.await_frontend(4)
    until(guest, f"systemctl is-active -q {unit}")
    state = status(guest, "vkbd-1")
    assert (state["coordinates"], state["screen"]) == ("raw", [800, 600])

    silent.write(state=5)
    silent.await_frontend(6)
    silent.detach()
    until(guest, f"! systemctl is-active -q {unit}")
    assert kernel_harm(guest) == []


def test_two_minutes_of_the_fault_campaign(bed: Bed, guest: Guest) -> None:
    # make soak runs longer ones, each with another seed.
    print(campaign.run(bed, guest, SEED, minutes=2).table())


def test_restored_it_still_ends_without_a_word_of_the_kernel(bed: Bed, guest: Guest) -> None:
    before = len(guest.console())  # where the campaign's OOM killer has had a say
    guest.save_and_restore()
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        assert misplaced(pointer, POINTS) == {}
    guest.run(["systemctl", "restart", UNIT])
    assert kernel_harm(guest) == []
    guest.power_off()
    assert not HARM.search(guest.console()[before:])
