"""Acceleration goes off, comes back to the last bit, and nothing else changes."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from accel_stage import (
    ADAPTIVE,
    CONSTANT,
    PROFILE,
    SCALING,
    called,
    done,
    everything,
    sentence,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from x_servers import KEYBOARD, MOUSE, number, xvfb
from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.ext import randr

from xenabs.x11 import (
    acceleration,
    connection,
    pointer_control,
    properties,
    refusal,
    schemes,
    workarounds,
)
from xenabs.x11.mapping import IDENTITY, MATRIX
from xenabs.x11.properties import Value
from xenabs.x11.schemes import Scheme
from xenabs.x11.wayland import ACCELERATION

FACTORS = st.floats(1, 1e6, width=32)
#: less 1, which no device here supports
PROFILES = st.sampled_from([-1, 0, 2, 3, 4, 5, 6, 7])
SHORT = st.integers(1, 1000)


@pytest.fixture(scope="module")
def opened() -> Iterator[Display]:
    """A server of its own: what fails here must not be left to others."""
    with (
        xvfb() as server,
        connection.connected(ACCELERATION, {"DISPLAY": server.name}) as display,
    ):
        yield display


@pytest.fixture
def fresh(opened: Display) -> Display:
    """As a server starts: classic acceleration by 2."""
    if properties.get(opened, number(opened), acceleration.RECORD):
        properties.delete(opened, number(opened), acceleration.RECORD)
    properties.put(opened, number(opened), MATRIX, IDENTITY)
    set_up(opened, 0, 1, 1, 10, (2, 1, 4))
    return opened


def set_up(
    display: Display,
    profile: int,
    constant: float,
    adaptive: float,
    scaling: float,
    control: tuple[int, int, int],
) -> None:
    mouse = number(display)
    properties.put(display, mouse, PROFILE, Value.integers(profile))
    for name, value in ((CONSTANT, constant), (ADAPTIVE, adaptive), (SCALING, scaling)):
        properties.put(display, mouse, name, Value.floats(value))
    workarounds.change_pointer_control(display, *control)


def mouse_state(display: Display) -> dict[str, object]:
    (facts,) = json.loads(done(display, "status", "--all", "--json"))["devices"]
    assert facts["name"] == MOUSE
    return dict(facts)


@settings(deadline=None, max_examples=25)
@given(PROFILES, FACTORS, FACTORS, FACTORS, st.tuples(SHORT, SHORT, SHORT))
def test_toggle_twice_is_identity_and_on_is_exact(
    opened: Display,
    profile: int,
    constant: float,
    adaptive: float,
    scaling: float,
    control: tuple[int, int, int],
) -> None:
    set_up(opened, profile, constant, adaptive, scaling, control)
    before = everything(opened)
    for words in [("toggle", "toggle"), ("off", "toggle")]:
        for word in words:
            done(opened, word, "--all")
            if word != words[-1]:
                assert mouse_state(opened)["accelerated"] is False
                assert opened.get_pointer_control().accel_num == 1 or control[0] == control[1]
        assert everything(opened) == before
    done(opened, "off", "--all")
    off = everything(opened)
    done(opened, "off", "--all")
    assert everything(opened) == off
    done(opened, "toggle", "--all")
    done(opened, "toggle", "--all")
    assert everything(opened) == off
    called(opened, "on", "--all")  # a sentence if it was not accelerated
    assert everything(opened) == before


def test_off_is_told_and_shown(fresh: Display) -> None:
    assert mouse_state(fresh) == {
        "id": number(fresh),
        "name": MOUSE,
        "driver": "other",
        "kind": "relative",
        "profile": "classic",
        "speed": 1,
        "accelerated": True,
        "switched_off": False,
    }
    assert done(fresh, "off", "--device", MOUSE) == f"{MOUSE} (id {number(fresh)}): off\n"
    state = mouse_state(fresh)
    assert (state["profile"], state["accelerated"], state["switched_off"]) == ("none", False, True)
    table = done(fresh, "status", "--device", str(number(fresh))).splitlines()
    titles = ["id", "device", "driver", "kind", "profile", "speed", "accelerated"]
    assert table[0].split() == titles
    assert table[1].endswith("no, by xenabs")
    assert table[2] == "core pointer control: 2/1, threshold 4"
    assert "off already" in done(fresh, "off", "--device", MOUSE)


@pytest.mark.parametrize("words", [("off", "on"), ("toggle", "toggle")])
def test_what_another_program_has_set_since_is_kept(fresh: Display, words: tuple[str, str]) -> None:
    done(fresh, "off", "--all")
    set_up(fresh, 6, 4, 1, 10, (3, 1, 4))
    before = mouse_state(fresh)
    assert before["accelerated"] is True
    done(fresh, words[0], "--all")
    assert mouse_state(fresh)["accelerated"] is False
    done(fresh, words[1], "--all")
    assert mouse_state(fresh) == {**before, "switched_off": False}
    assert fresh.get_pointer_control().accel_num == 3


def test_on_tells_that_it_takes_back_what_another_program_has_set(fresh: Display) -> None:
    done(fresh, "off", "--device", MOUSE)
    assert "another" not in done(fresh, "on", "--device", MOUSE)
    done(fresh, "off", "--device", MOUSE)
    properties.put(fresh, number(fresh), PROFILE, Value.integers(6))
    told = done(fresh, "on", "--device", MOUSE)
    assert "on, as before (classic, speed 1), no longer" in told
    assert "(linear, speed 1)" in told


def test_the_core_pointer_control_alone_is_something_to_switch_on(fresh: Display) -> None:
    properties.put(fresh, number(fresh), PROFILE, Value.integers(-1))
    done(fresh, "off", "--all")
    assert "core pointer control: 2/1, threshold 4" in done(fresh, "on", "--all")
    assert "no way back" in sentence(fresh, "on", "--all")


def test_on_guesses_nothing(fresh: Display) -> None:
    before = everything(fresh)
    assert "not switched off by xenabs" in done(fresh, "on", "--all")
    assert everything(fresh) == before
    properties.put(fresh, number(fresh), PROFILE, Value.integers(-1))
    before = everything(fresh)
    assert "X's configuration" in sentence(fresh, "on", "--device", MOUSE)
    assert everything(fresh) == before


def test_a_device_is_left_alone_unless_it_is_meant(fresh: Display) -> None:
    before = everything(fresh)
    for command in ("status", "off", "on", "toggle"):
        assert "--all" in sentence(fresh, command)
        assert "'Xen'" in sentence(fresh, command, "--device", "Xen")
    assert "no acceleration" in done(fresh, "off", "--device", KEYBOARD)
    for command in ("off", "on", "toggle"):
        told = done(fresh, command, "--device", "Virtual core XTEST pointer")
        assert "not applicable, it only repeats what programs post" in told
        for master in ("Virtual core pointer", "2"):
            told = sentence(fresh, command, "--device", master)
            assert "Virtual core pointer (id 2) is a master" in told
            assert "slaves" in told
    assert called(fresh, "off", "--all", "--device", MOUSE).exit_code == 2
    assert everything(fresh) == before


def test_what_a_driver_refuses_is_told_and_taken_back(
    fresh: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = {CONSTANT: Value.floats(3), PROFILE: Value.integers(1, 2)}
    refused = Scheme((PROFILE, CONSTANT), lambda values: off, lambda values: "", lambda values: 1)
    monkeypatch.setattr(acceleration, "SCHEMES", (refused,))
    before = everything(fresh)
    text = sentence(fresh, "off", "--device", MOUSE)
    assert PROFILE in text
    assert MOUSE in text
    assert "enable" not in text
    assert everything(fresh) == before
    properties.put(fresh, number(fresh), refusal.ENABLED, Value.integers(0, bits=8))
    try:
        text = sentence(fresh, "off", "--device", MOUSE)
    finally:
        properties.put(fresh, number(fresh), refusal.ENABLED, Value.integers(1, bits=8))
    assert text.endswith(f"it is disabled, enable it first, with xinput enable {number(fresh)}")


def test_a_driver_without_the_flat_profile_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    really_put = properties.put

    def put(display: Display, device: int, name: str, value: Value) -> None:
        """As libinput's driver, which Xvfb does not have."""
        if name == schemes.LIBINPUT_PROFILE and value.items[1]:
            name, value = PROFILE, Value.integers(1, 2)
        really_put(display, device, name, value)

    with (
        xvfb() as server,
        connection.connected(ACCELERATION, {"DISPLAY": server.name}) as display,
    ):
        adaptive = Value.integers(1, 0, bits=8)
        put(display, number(display), schemes.LIBINPUT_SPEED, Value.floats(0))
        put(display, number(display), schemes.LIBINPUT_PROFILE, adaptive)
        put(display, number(display), refusal.AVAILABLE[schemes.LIBINPUT_PROFILE], adaptive)
        before = everything(display)
        monkeypatch.setattr(properties, "put", put)
        assert "has no such profile" in sentence(display, "off", "--device", MOUSE)
        assert everything(display) == before


def test_a_matrix_counts_as_acceleration(fresh: Display) -> None:
    done(fresh, "off", "--all")
    properties.put(fresh, number(fresh), MATRIX, Value.floats(2, 0, 0, 0, 2, 0, 0, 0, 1))
    before = everything(fresh)[0]
    assert mouse_state(fresh)["accelerated"] is True
    done(fresh, "off", "--all")
    assert mouse_state(fresh)["accelerated"] is False
    assert properties.get(fresh, number(fresh), MATRIX) == IDENTITY
    done(fresh, "on", "--all")
    assert {**everything(fresh)[0], (number(fresh), MOUSE, acceleration.RECORD): None} == {
        **before,
        (number(fresh), MOUSE, acceleration.RECORD): None,
    }


@pytest.mark.parametrize("values", [(1, 0, 0), (-5, 1, 0), (1, 1, 1 << 20)])
def test_a_pointer_control_of_somebody_else_is_no_record(
    fresh: Display, values: tuple[int, int, int]
) -> None:
    unsigned = [workarounds.unsigned(each) for each in values]
    atom = fresh.get_atom(pointer_control.RECORD)
    fresh.screen().root.change_property(atom, Xatom.INTEGER, 32, unsigned, X.PropModeReplace)
    assert "still 2/1" in done(fresh, "on", "--all")
    fresh.screen().root.delete_property(atom)


@pytest.mark.parametrize(
    "record",
    [
        Value.integers(1, 2),
        Value("STRING", 8, tuple(json.dumps([[PROFILE, "INTEGER", 32, ["a"]]]).encode())),
        Value("STRING", 8, tuple(json.dumps([[PROFILE, "INTEGER", 7, [1]]]).encode())),
        Value("STRING", 8, tuple(json.dumps([[1, "INTEGER", 8, [1]]]).encode())),
    ],
)
def test_a_record_of_somebody_else_is_told(fresh: Display, record: Value) -> None:
    properties.put(fresh, number(fresh), acceleration.RECORD, record)
    before = everything(fresh)
    assert "xinput delete-prop" in sentence(fresh, "on", "--device", MOUSE)
    assert everything(fresh) == before


def test_xwayland_is_told(fresh: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its extension, and before 23.1 by its outputs."""
    plain = fresh.list_extensions()
    with monkeypatch.context() as newer:
        newer.setattr(Display, "list_extensions", lambda self: [*plain, "XWAYLAND"])
        for command in ("status", "off", "on", "toggle"):
            assert "XWayland" in sentence(fresh, command, "--all")
    output = SimpleNamespace(name="XWAYLAND0")
    monkeypatch.setattr(randr, "get_output_info", lambda *arguments: output)
    assert "XWayland" in sentence(fresh, "off", "--all")


@pytest.mark.parametrize("profiles", [2, 3])
def test_libinput_is_flat_at_speed_0(profiles: int) -> None:
    """Older drivers know two profiles, newer ones three."""
    adaptive = Value.integers(*[1, 0, 0][:profiles], bits=8)
    flat = Value.integers(*[0, 1, 0][:profiles], bits=8)
    values = {schemes.LIBINPUT_PROFILE: adaptive, schemes.LIBINPUT_SPEED: Value.floats(0)}
    assert schemes.LIBINPUT.profile(values) == "adaptive"
    assert schemes.LIBINPUT.accelerates(values)
    assert schemes.LIBINPUT.off(values)[schemes.LIBINPUT_PROFILE] == flat
    values[schemes.LIBINPUT_PROFILE] = flat
    assert not schemes.LIBINPUT.accelerates(values)
    values[schemes.LIBINPUT_SPEED] = Value.floats(0.25)
    assert schemes.LIBINPUT.speed(values) == 0.25
    assert schemes.LIBINPUT.accelerates(values)
