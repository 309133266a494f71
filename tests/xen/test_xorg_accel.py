"""Real Xorg with libinput and with evdev: a mouse moves as it was asked to, or as it did before."""

import json
from collections.abc import Iterator

import pytest
from accelerating import ACCELERATED, ASKED, SAYING, Accel

from testbed import Guest, Wanted
from testbed.mouse import PATTERNS, Mouse, Step
from testbed.xserver import DRIVERS, XServer

WANTED = Wanted(kind="pv", size=(1280, 800))
MOUSE = "a mouse"
LATER = "a mouse plugged in later"


@pytest.fixture(scope="module", params=DRIVERS)
def accel(guest: Guest, request: pytest.FixtureRequest) -> Iterator[Accel]:
    with (
        XServer(guest, driver=request.param) as server,
        Mouse(guest, server.display) as mouse,
    ):
        mouse.plug(MOUSE)
        yield Accel(guest, server, mouse)


#: one that is always accelerated, with either driver
SURE = "10x10"


def exact(moved: dict[str, Step], patterns: list[str]) -> list[str]:
    """Those that led as far as asked."""
    return [pattern for pattern in patterns if moved[pattern] == ASKED[pattern]]


def test_off_is_exact_and_on_is_what_it_was(accel: Accel) -> None:
    before = accel.properties()
    state = accel.state(MOUSE)
    assert state["accelerated"] is True
    accelerated = ACCELERATED[state["driver"]]
    moved = accel.displacements(MOUSE)
    print(state["driver"], state["profile"], moved)
    assert exact(moved, accelerated) == []
    accel.call("off", "--device", MOUSE)
    state = accel.state(MOUSE)
    assert (state["accelerated"], state["switched_off"]) == (False, True)
    assert accel.displacements(MOUSE) == ASKED
    accel.call("on", "--device", MOUSE)
    assert accel.properties() == before
    # How far it is depends on the time that it takes, so that it is not the same to the pixel.
    assert exact(accel.displacements(MOUSE, accelerated), accelerated) == []


def test_toggle_twice_is_identity(accel: Accel) -> None:
    before = accel.properties()
    accel.call("toggle", "--all")
    assert accel.properties() != before
    accel.call("toggle", "--all")
    assert accel.properties() == before


def test_a_mouse_plugged_in_later_is_exact_while_watched(accel: Accel) -> None:
    with accel.watching("--all") as lines:
        lines.until(f"{MOUSE} ", SAYING)
        for patterns in (PATTERNS, [SURE]):
            accel.mouse.plug(LATER)
            lines.until(f"{LATER} ", SAYING)
            moved = accel.displacements(LATER, patterns)
            assert moved == {pattern: ASKED[pattern] for pattern in patterns}
            accel.mouse.unplug(LATER)
    accel.mouse.plug(LATER)
    assert accel.state(LATER)["accelerated"] is True
    accel.mouse.unplug(LATER)
    accel.call("on", "--all")


def test_one_that_is_disabled_is_off_when_it_is_enabled(accel: Accel) -> None:
    before = accel.properties()
    accel.enable(MOUSE, False)
    with accel.watching("--device", MOUSE) as lines:
        accel.enable(MOUSE, True)
        lines.until("acceleration is off", SAYING)
        assert accel.state(MOUSE)["accelerated"] is False
    accel.call("on", "--device", MOUSE)
    assert accel.properties() == before


def test_the_tablet_has_no_acceleration(accel: Accel) -> None:
    before = accel.properties()
    told = json.loads(accel.call("status", "--json"))
    (tablet,) = told["devices"]
    assert tablet["name"] == "xenabs tablet"
    assert (tablet["kind"], tablet["accelerated"]) == ("absolute", None)
    assert "not applicable" in accel.call("status")
    assert "not applicable" in accel.call("off")
    assert accel.properties() == before
