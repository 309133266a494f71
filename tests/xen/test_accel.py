"""Real Xorg with libinput and with evdev: a mouse moves as it was asked to, or as it did before."""

import json
from collections.abc import Iterator

import pytest
from accelerating import ASKED, Accel, said

from testbed import Guest, Wanted
from testbed.mouse import Mouse, Step
from testbed.xserver import XServer

WANTED = Wanted(kind="pv", size=(1280, 800))
MOUSE = "a mouse"
LATER = "a mouse plugged in later"


@pytest.fixture(scope="module", params=["libinput", "evdev"])
def accel(guest: Guest, request: pytest.FixtureRequest) -> Iterator[Accel]:
    with (
        XServer(guest, driver=request.param) as server,
        Mouse(guest, server.display) as mouse,
    ):
        mouse.plug(MOUSE)
        yield Accel(guest, server, mouse)


def accelerated(accel: Accel) -> dict[str, Step]:
    """Which patterns lead elsewhere; how far depends on the time that they take, to the pixel."""
    moved = accel.displacements(MOUSE)
    print(accel.state(MOUSE)["driver"], accel.state(MOUSE)["profile"], moved)
    return {pattern: step for pattern, step in moved.items() if step != ASKED[pattern]}


def test_off_is_exact_and_on_is_what_it_was(accel: Accel) -> None:
    before = accel.properties()
    assert accel.state(MOUSE)["accelerated"] is True
    assert accelerated(accel)
    accel.call("off", "--device", MOUSE)
    state = accel.state(MOUSE)
    assert (state["accelerated"], state["switched_off"]) == (False, True)
    assert accel.displacements(MOUSE) == ASKED
    accel.call("on", "--device", MOUSE)
    assert accel.properties() == before
    assert accelerated(accel)


def test_toggle_twice_is_identity(accel: Accel) -> None:
    before = accel.properties()
    accel.call("toggle", "--all")
    assert accel.properties() != before
    accel.call("toggle", "--all")
    assert accel.properties() == before


def test_a_mouse_plugged_in_later_is_exact_while_watched(accel: Accel) -> None:
    with accel.watching("--all") as lines:
        said(lines, f"{MOUSE} ")
        for _ in range(3):
            accel.mouse.plug(LATER)
            said(lines, f"{LATER} ")
            assert accel.displacements(LATER) == ASKED
            accel.mouse.unplug(LATER)
    accel.call("on", "--all")
    accel.mouse.plug(LATER)
    assert accel.state(LATER)["accelerated"] is True
    accel.mouse.unplug(LATER)


def test_the_tablet_has_no_acceleration(accel: Accel) -> None:
    before = accel.properties()
    told = json.loads(accel.call("status", "--json"))
    (tablet,) = told["devices"]
    assert tablet["name"] == "xenabs tablet"
    assert (tablet["kind"], tablet["accelerated"]) == ("absolute", None)
    assert "not applicable" in accel.call("status")
    assert "not applicable" in accel.call("off")
    assert accel.properties() == before
