"""`xenabs accel off --watch` keeps acceleration off, obeys `on`, and ends well."""

import signal
from collections.abc import Iterator

import pytest
from accel_stage import KEYBOARD, MOUSE, PROFILE, done, number, watching
from x_servers import Server, xvfb
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.x11 import connection, properties
from xenabs.x11.properties import Value
from xenabs.x11.wayland import ACCELERATION


@pytest.fixture
def server() -> Iterator[Server]:
    with xvfb() as started:
        yield started


@pytest.fixture
def display(server: Server) -> Iterator[Display]:
    opened = connection.open_display(ACCELERATION, {"DISPLAY": server.name})
    mask = [(xinput.AllDevices, xinput.PropertyEventMask)]
    opened.screen().root.xinput_select_events(mask)
    yield opened


def profile(display: Display) -> int:
    value = properties.get(display, number(display), PROFILE)
    assert value is not None
    return int(value.numbers()[0])


def becomes(display: Display, wanted: int) -> None:
    while profile(display) != wanted:
        display.next_event()


def test_what_a_program_undoes_is_done_again(display: Display) -> None:
    with watching(display, "--all") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "core pointer control: 1/1, threshold 0\n"
        becomes(display, -1)
        for other in (0, 6):
            properties.put(display, number(display), PROFILE, Value.integers(other))
            becomes(display, -1)
    done(display, "on", "--all")
    assert profile(display) == 0
    assert display.get_pointer_control().accel_num == 2


def test_on_is_obeyed_and_off_again(display: Display) -> None:
    with watching(display, "--device", MOUSE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("acceleration is off\n")
        done(display, "on", "--all")
        assert "left alone" in process.stdout.readline()
        properties.put(display, number(display), PROFILE, Value.integers(6))
        done(display, "off", "--all")
        assert profile(display) == -1
        properties.put(display, number(display), PROFILE, Value.integers(2))
        becomes(display, -1)


def test_what_is_not_chosen_is_left_alone(display: Display) -> None:
    for words in ((), ("--device", KEYBOARD), ("--device", "comes later")):
        with watching(display, *words) as process:
            properties.put(display, number(display), PROFILE, Value.integers(6))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert profile(display) == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_good_end(display: Display, number: signal.Signals) -> None:
    with watching(display, "--all") as process:
        process.send_signal(number)
        assert process.communicate(timeout=10)[1] == ""
        assert process.returncode == 0


def test_the_end_of_the_server_is_a_good_end(server: Server, display: Display) -> None:
    with watching(display, "--all") as process:
        becomes(display, -1)
        server.end()
        assert process.communicate(timeout=10)[1] == ""
        assert process.returncode == 0
