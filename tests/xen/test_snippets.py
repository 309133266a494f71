"""The snippets for X: exactly as far as asked, with both drivers, and nobody else's mouse touched.

Each server is started with an earlier file that says the opposite of a snippet for one mouse, as a
distribution's or an administrator's may: what a snippet says comes last.
"""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import Guest, Wanted
from testbed.mouse import PATTERNS, Mouse, Step
from testbed.xserver import XServer

WANTED = Wanted(kind="pv")
CHECKOUT = Path(__file__).parents[2]
XENS = CHECKOUT / "xorg.conf.d/90-xenabs.conf"
ALL = CHECKOUT / "xorg.conf.d.available/91-xenabs-all.conf"
ONCE = CHECKOUT / "xorg.conf.d.available/92-xenabs-once.conf"
DRIVERS = ("libinput", "evdev")

KERNELS, PS2, USB = (
    "Xen Virtual Pointer",
    "ImExPS/2 Generic Explorer Mouse",
    "QEMU QEMU USB Mouse",
)
OTHER, OTHER_USB = "Some Optical Mouse", "Some USB Mouse"
#: plugged in before the servers start
PRESENT = (KERNELS, OTHER)

EARLIER = """\
Section "InputClass"
    Identifier "earlier"
    MatchProduct "USB Mouse"
    Option "AccelProfile" "flat"
    Option "AccelSpeed" "0.5"
    Option "AccelerationProfile" "-1"
    Option "ConstantDeceleration" "4"
EndSection
"""
SECTION = """\
Section "InputDevice"
    Identifier "Xen Virtual Pointer"
    Driver "evdev"
    Option "Device" "{node}"
    Option "AutoServerLayout" "on"
    Option "AccelerationProfile" "-1"
EndSection
"""
#: what 100 become with EARLIER
EARLIER_MAKES = {"libinput": 150, "evdev": 25}

#: Where a driver's own acceleration shows. Both leave a slow mouse alone but for a pixel, and evdev
#: leaves the first step of a motion alone, at which it knows no speed yet.
ACCELERATED = {
    "libinput": sorted(PATTERNS.keys() - {"100x1"}),
    "evdev": sorted(PATTERNS.keys() - {"100x1", "1x100"}),
}

#: what X has of a snippet's options in the end, by property
IN_FORCE = {
    "libinput": {"libinput Accel Profile Enabled": "0, 1", "libinput Accel Speed": "0.000000"},
    "evdev": {"Device Accel Profile": "-1", "Device Accel Constant Deceleration": "1.000000"},
}


class Measured:
    """How far mice have moved pointers, and what X says of them; with one snippet, both drivers."""

    def __init__(self, guest: Guest, snippet: Path, mice: tuple[str, ...]) -> None:
        self.displacements: dict[tuple[str, str, str], Step] = {}
        self.properties: dict[tuple[str, str], dict[str, str]] = {}
        self.logs: dict[str, str] = {}
        files = {"60-earlier.conf": EARLIER, snippet.name: snippet.read_text()}
        with Mouse(guest) as mouse, ExitStack() as stack:
            for name in PRESENT:
                mouse.plug(name)
            servers = {
                stack.enter_context(XServer(guest, driver=driver, snippets=files)): driver
                for driver in DRIVERS
            }
            drivers = {server.display: driver for server, driver in servers.items()}
            for server in servers:
                mouse.see(server.display)
            for name in mice:
                if name not in PRESENT:
                    mouse.plug(name)
                self._measure(guest, mouse, name, drivers)
            for server, driver in servers.items():
                self.logs[driver] = server.log()

    def _measure(self, guest: Guest, mouse: Mouse, name: str, drivers: dict[str, str]) -> None:
        for pattern, steps in PATTERNS.items():
            for display, moved in mouse.displacement(name, steps).items():
                self.displacements[drivers[display], name, pattern] = moved
        for display, driver in drivers.items():
            words = ["env", f"DISPLAY={display}", "xinput", "list-props", f"pointer:{name}"]
            found = re.findall(r"\t(.*) \(\d+\):\t(.*)", guest.run(words).stdout)
            self.properties[driver, name] = dict(found)

    def applied(self, driver: str, identifier: str) -> set[str]:
        """The names of the devices that a server has taken a section for."""
        pattern = rf'\(\*\*\) (.*): Applying InputClass "{re.escape(identifier)}"'
        return set(re.findall(pattern, self.logs[driver]))


def asked(pattern: str) -> Step:
    steps = PATTERNS[pattern]
    return sum(dx for dx, _ in steps), sum(dy for _, dy in steps)


@pytest.fixture(scope="module")
def with_xens(guest: Guest) -> Measured:
    return Measured(guest, XENS, (KERNELS, PS2, USB, OTHER, OTHER_USB))


@pytest.fixture(scope="module")
def with_all(guest: Guest) -> Measured:
    return Measured(guest, ALL, (KERNELS, OTHER, OTHER_USB))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", [KERNELS, PS2, USB])
@pytest.mark.parametrize("driver", DRIVERS)
def test_xens_pointers_move_as_far_as_asked(
    with_xens: Measured, driver: str, name: str, pattern: str
) -> None:
    assert with_xens.displacements[driver, name, pattern] == asked(pattern)


@pytest.mark.parametrize(
    "driver, pattern",
    [(driver, pattern) for driver in DRIVERS for pattern in ACCELERATED[driver]],
)
def test_another_mouse_is_accelerated_as_ever(
    with_xens: Measured, driver: str, pattern: str
) -> None:
    assert with_xens.displacements[driver, OTHER, pattern] != asked(pattern)


@pytest.mark.parametrize("driver", DRIVERS)
def test_another_mouse_keeps_what_an_earlier_file_says(with_xens: Measured, driver: str) -> None:
    moved = with_xens.displacements[driver, OTHER_USB, "10x10"]
    assert moved == (EARLIER_MAKES[driver], 0)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", [KERNELS, OTHER, OTHER_USB])
@pytest.mark.parametrize("driver", DRIVERS)
def test_all_pointers_move_as_far_as_asked(
    with_all: Measured, driver: str, name: str, pattern: str
) -> None:
    assert with_all.displacements[driver, name, pattern] == asked(pattern)


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_option_is_in_force_for_whom_it_is_meant(
    with_xens: Measured, with_all: Measured, driver: str
) -> None:
    wanted = IN_FORCE[driver]
    for measured, names in [(with_xens, (KERNELS, PS2, USB)), (with_all, (KERNELS, OTHER))]:
        for name in names:
            found = measured.properties[driver, name]
            assert {key: found[key] for key in wanted} == wanted
    found = with_xens.properties[driver, OTHER]
    assert {key: found[key] for key in wanted} != wanted


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_log_says_whom_a_snippet_is_taken_for(
    with_xens: Measured, with_all: Measured, driver: str
) -> None:
    assert with_xens.applied(driver, "xenabs: no acceleration of Xen's pointers") == {
        *(KERNELS, PS2, USB)
    }
    # The tablet is absolute: what is said of acceleration is nothing to it.
    assert with_all.applied(driver, "xenabs: no acceleration of any pointer") == {
        *(KERNELS, OTHER, OTHER_USB, "xenabs tablet")
    }


def moved_with_a_section(guest: Guest, *snippets: Path) -> int:
    """By how many pixels 100 counts move a pointer that an InputDevice section names."""
    with Mouse(guest) as mouse:
        mouse.plug(KERNELS)
        files = {path.name: path.read_text() for path in (XENS, *snippets)}
        files["95-section.conf"] = SECTION.format(node=mouse.nodes[KERNELS])
        with XServer(guest, snippets=files) as server:
            mouse.see(server.display)
            return mouse.displacement(KERNELS, PATTERNS["100x1"])[server.display][0]


def test_a_pointer_with_a_section_of_its_own_is_used_twice(guest: Guest) -> None:
    assert moved_with_a_section(guest) > 100


def test_a_pointer_with_a_section_of_its_own_is_used_once(guest: Guest) -> None:
    assert moved_with_a_section(guest, ONCE) == 100
