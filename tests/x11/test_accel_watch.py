"""`xenabs accel off --watch` keeps acceleration off, obeys `on`, and ends well."""

import select
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from accel_stage import PATIENCE, PROFILE, done, sentence, watching
from x_servers import KEYBOARD, MOUSE, Server, number, xvfb
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.cli.accel.choice import Choice
from xenabs.cli.accel.watching import telling
from xenabs.x11 import acceleration, connection, devices, properties, watch
from xenabs.x11.devices import InputDevice
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
    deadline = time.monotonic() + PATIENCE
    while profile(display) != wanted:
        left = max(deadline - time.monotonic(), 0)
        ready = display.pending_events() or select.select([display], [], [], left)[0]
        assert ready, f"the profile stays {profile(display)}"
        while display.pending_events():
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


def test_a_device_that_is_not_there_is_waited_for(display: Display) -> None:
    with watching(display, "--device", "No such mouse", "--device", MOUSE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting for a device 'No such mouse'\n"
        assert process.stdout.readline().endswith("acceleration is off\n")


def test_a_master_is_refused_and_not_waited_for(
    display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    assert "is a master" in sentence(display, "off", "--watch", "--device", "Virtual core pointer")


class _Enough(Exception):
    pass


def watch_here(server: Server, choice: watch.Choice, tell: Callable[[str], None]) -> None:
    """In this process, until one of them has seen enough; each look begins with the choice."""
    with (
        connection.connected(ACCELERATION, {"DISPLAY": server.name}) as watched,
        pytest.raises(_Enough),
    ):
        watch.keep_off(watched, choice, tell)


@pytest.mark.parametrize("wanted", [(), (KEYBOARD,), ("comes later",)])
def test_what_is_not_chosen_is_left_alone(
    server: Server, display: Display, wanted: tuple[str, ...]
) -> None:
    profiles = [6, 2, 6]
    told: list[str] = []

    def choice(present: list[InputDevice]) -> list[InputDevice]:
        if not profiles:
            raise _Enough
        properties.put(display, number(display), PROFILE, Value.integers(profiles.pop()))
        return Choice(wanted, False).of_now(present)

    watch_here(server, choice, told.append)
    assert profile(display) == 6
    assert told == []


def test_what_was_waited_for_is_seen_to_when_it_comes(
    server: Server,
    display: Display,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    all_of_them = devices.present
    there: list[str] = []

    def present(watched: Display) -> list[InputDevice]:
        found = [each for each in all_of_them(watched) if each.name in there]
        if not there:
            there.append(MOUSE)
            properties.put(display, number(display), PROFILE, Value.integers(6))
        return found

    def tell(news: str) -> None:
        assert news == f"{MOUSE} (id {number(display)}): acceleration is off"
        raise _Enough

    monkeypatch.setattr(devices, "present", present)
    watch_here(server, telling(Choice((MOUSE,), False)), tell)
    assert capsys.readouterr().out == f"waiting for a device '{MOUSE}'\n"
    assert profile(display) == -1


def test_what_was_switched_on_stays_on_whatever_is_set(server: Server, display: Display) -> None:
    (mouse,) = devices.choose(devices.present(display), everything=True)
    told: list[str] = []
    seen: list[int] = []

    def tell(news: str) -> None:
        told.append(news)
        assert len(told) <= 2
        if "left alone" in news:
            properties.put(display, mouse.id, PROFILE, Value.integers(6))
        else:
            acceleration.switch_on(display, mouse)

    def choice(present: list[InputDevice]) -> list[InputDevice]:
        if len(told) == 2:
            seen.append(profile(display))
            if len(seen) == 2:
                raise _Enough
            properties.put(display, mouse.id, PROFILE, Value.integers(2))
        return [mouse]

    watch_here(server, choice, tell)
    assert seen == [6, 2]


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
