"""The snippets for X: exactly as far as asked, with both drivers, and nobody else's mouse touched.

Each server is started with an earlier file that says the opposite of a snippet for one mouse, as a
distribution's may: what a snippet says comes last.
"""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from accelerating import ACCELERATED, ASKED

from testbed import Guest, Wanted
from testbed.mouse import PATTERNS, Mouse, Step
from testbed.xserver import DRIVERS, XServer, on

WANTED = Wanted(kind="pv")
CHECKOUT = Path(__file__).parents[2]
XENS = CHECKOUT / "xorg.conf.d/90-xenabs.conf"
ALL = CHECKOUT / "xorg.conf.d.available/91-xenabs-all.conf"
ONCE = CHECKOUT / "xorg.conf.d.available/92-xenabs-once.conf"
ON = CHECKOUT / "xorg.conf.d.available/93-xenabs-on.conf"

KERNELS, PS2, USB = (
    "Xen Virtual Pointer",
    "ImExPS/2 Generic Explorer Mouse",
    "QEMU QEMU USB Mouse",
)
OTHER, OTHER_USB = "Some Optical Mouse", "Some USB Mouse"
#: one that an InputDevice section names
NAMED = "Xen Virtual Pointer of the xorg.conf"

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
    Identifier "{name}"
    Driver "evdev"
    Option "Device" "{node}"
    Option "AutoServerLayout" "on"
    Option "AccelerationProfile" "-1"
EndSection
"""
#: what 100 become with EARLIER
EARLIER_MAKES = {"libinput": 150, "evdev": 25}

#: what X has of a snippet's options in the end, by property: one of these; libinput has a third
#: profile since 1.23
IN_FORCE = {
    "libinput": {
        "libinput Accel Profile Enabled": ("0, 1", "0, 1, 0"),
        "libinput Accel Speed": ("0.000000",),
    },
    "evdev": {
        "Device Accel Profile": ("-1",),
        "Device Accel Constant Deceleration": ("1.000000",),
    },
}


in_each_that_shows_acceleration = pytest.mark.parametrize(
    "driver, pattern",
    [(driver, pattern) for driver in DRIVERS for pattern in ACCELERATED[driver]],
)


class Measured:
    """How far mice move the pointers of two X servers, and what X says of them.

    Each server has the snippets, and a section for the mouse NAMED. This and the mice ``before``
    are plugged in before the servers start, those ``later`` when they run.
    """

    def __init__(
        self, guest: Guest, snippets: list[Path], before: list[str], later: list[str]
    ) -> None:
        #: by driver, mouse and pattern
        self.displacements: dict[tuple[str, str, str], Step] = {}
        #: by driver and mouse
        self.properties: dict[tuple[str, str], dict[str, str]] = {}
        self.logs: dict[str, str] = {}
        files = {"60-earlier.conf": EARLIER, **{path.name: path.read_text() for path in snippets}}
        with Mouse(guest) as mouse, ExitStack() as stack:
            for name in (NAMED, *before):
                mouse.plug(name)
            files["95-section.conf"] = SECTION.format(name=NAMED, node=mouse.nodes[NAMED])
            servers: dict[str, XServer] = {}
            for driver in DRIVERS:
                server = XServer(guest, driver=driver, snippets=files)
                servers[driver] = stack.enter_context(server)
                mouse.see(server.display)
            drivers = {server.display: driver for driver, server in servers.items()}
            # NAMED comes last: where it is there twice, so is the turn of the wheel after it.
            patterns = {**dict.fromkeys([*before, *later], PATTERNS), NAMED: ["20x5"]}
            for name, each in patterns.items():
                if name in later:
                    mouse.plug(name)
                for pattern in each:
                    for display, moved in mouse.displacement(name, PATTERNS[pattern]).items():
                        self.displacements[drivers[display], name, pattern] = moved
            for driver, server in servers.items():
                for name, found in properties(guest, server, [*before, *later]).items():
                    self.properties[driver, name] = found
                self.logs[driver] = server.log()

    def applied(self, driver: str, identifier: str) -> set[str]:
        """The names of the devices that a server has taken a section for."""
        pattern = rf'\(\*\*\) (.*): Applying InputClass "{re.escape(identifier)}"'
        return set(re.findall(pattern, self.logs[driver]))


def properties(guest: Guest, server: XServer, names: list[str]) -> dict[str, dict[str, str]]:
    """The properties of devices, as text, by the device's name."""
    each = 'for name; do echo "Device: $name"; xinput list-props "pointer:$name"; done'
    words = on(server.display, "sh", "-c", each, "sh", *names)
    parts = guest.run(words).stdout.split("Device: ")[1:]
    return {
        part.split("\n", 1)[0]: dict(re.findall(r"\t(.*) \(\d+\):\t(.*)", part)) for part in parts
    }


@pytest.fixture(scope="module")
def with_xens(guest: Guest) -> Measured:
    return Measured(guest, [XENS], [KERNELS, OTHER], [PS2, USB, OTHER_USB])


@pytest.fixture(scope="module")
def with_all(guest: Guest) -> Measured:
    return Measured(guest, [ALL, ONCE], [OTHER], [OTHER_USB])


@pytest.fixture(scope="module")
def with_on(guest: Guest) -> Measured:
    return Measured(guest, [XENS, ON], [KERNELS], [])


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", [KERNELS, PS2, USB])
@pytest.mark.parametrize("driver", DRIVERS)
def test_xens_pointers_move_as_far_as_asked(
    with_xens: Measured, driver: str, name: str, pattern: str
) -> None:
    assert with_xens.displacements[driver, name, pattern] == ASKED[pattern]


@in_each_that_shows_acceleration
def test_another_mouse_is_accelerated_as_ever(
    with_xens: Measured, driver: str, pattern: str
) -> None:
    assert with_xens.displacements[driver, OTHER, pattern] != ASKED[pattern]


@in_each_that_shows_acceleration
def test_xens_pointers_are_accelerated_again_with_the_snippet_for_that(
    with_on: Measured, driver: str, pattern: str
) -> None:
    assert with_on.displacements[driver, KERNELS, pattern] != ASKED[pattern]


@pytest.mark.parametrize("driver", DRIVERS)
def test_another_mouse_keeps_what_an_earlier_file_says(with_xens: Measured, driver: str) -> None:
    moved = with_xens.displacements[driver, OTHER_USB, "10x10"]
    assert moved == (EARLIER_MAKES[driver], 0)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", [OTHER, OTHER_USB])
@pytest.mark.parametrize("driver", DRIVERS)
def test_all_pointers_move_as_far_as_asked(
    with_all: Measured, driver: str, name: str, pattern: str
) -> None:
    assert with_all.displacements[driver, name, pattern] == ASKED[pattern]


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_option_is_in_force_for_whom_it_is_meant(
    with_xens: Measured, with_all: Measured, driver: str
) -> None:
    def in_force(found: dict[str, str]) -> bool:
        return all(found[key] in values for key, values in IN_FORCE[driver].items())

    for measured, names in [(with_xens, (KERNELS, PS2, USB)), (with_all, (OTHER, OTHER_USB))]:
        for name in names:
            found = measured.properties[driver, name]
            assert in_force(found), found
    assert not in_force(with_xens.properties[driver, OTHER])


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_log_says_whom_a_snippet_is_taken_for(
    with_xens: Measured, with_all: Measured, driver: str
) -> None:
    applied = with_xens.applied(driver, "xenabs: no acceleration of Xen's pointers")
    assert applied - {NAMED} == {KERNELS, PS2, USB}
    applied = with_all.applied(driver, "xenabs: no acceleration of any mouse")
    assert applied == {OTHER, OTHER_USB}


def test_a_pointer_with_a_section_of_its_own_is_used_twice(with_xens: Measured) -> None:
    # 200, but for steps that one of the two reports after the other's turn of the wheel.
    assert with_xens.displacements["libinput", NAMED, "20x5"][0] > 100
    # evdev sees that it has the device already.
    assert with_xens.displacements["evdev", NAMED, "20x5"] == (100, 0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_pointer_with_a_section_of_its_own_is_used_once_with_the_snippet(
    with_all: Measured, driver: str
) -> None:
    assert with_all.displacements[driver, NAMED, "20x5"] == (100, 0)
    identifier = "xenabs: the pointer of an InputDevice section is not used twice"
    for name in (NAMED, "xenabs tablet"):
        assert f'{name}: Ignoring device from InputClass "{identifier}"' in with_all.logs[driver]
