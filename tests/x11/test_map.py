"""Outputs, monitors and regions of an X server; what xenabs map says where there is no tablet."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result
from x_servers import number, xvfb
from Xlib import error
from Xlib.display import Display
from Xlib.ext import randr

from xenabs.cli import cli
from xenabs.errors import XenabsError
from xenabs.x11 import connection, follow, mapping, outputs, properties
from xenabs.x11.devices import ABSOLUTE, InputDevice
from xenabs.x11.properties import Value
from xenabs.x11.region import Region
from xenabs.x11.wayland import MAPPING

CALIBRATION = "libinput Calibration Matrix"
LEFT, RIGHT = Region(640, 800), Region(640, 800, 640)
WATCH = ("map", "set", "screen", "--watch")


@pytest.fixture(scope="module")
def opened() -> Iterator[Display]:
    """A server of its own, with a monitor that somebody has defined."""
    with (
        xvfb() as server,
        connection.connected(MAPPING, {"DISPLAY": server.name}) as display,
        monitor(display, "left half", "640/169x800/212+0+0"),
    ):
        yield display


@contextmanager
def monitor(display: Display, name: str, geometry: str) -> Iterator[None]:
    xrandr = ["xrandr", "-display", display.get_display_name()]
    subprocess.run([*xrandr, "--setmonitor", name, geometry, "none"], check=True)
    try:
        yield
    finally:
        subprocess.run([*xrandr, "--delmonitor", name], check=True)


@pytest.fixture
def tablet(opened: Display) -> InputDevice:
    """One of Xvfb's, which has no drivers and takes each property that is not the server's."""
    return stand_in(opened)


def stand_in(display: Display) -> InputDevice:
    mouse = number(display)
    properties.put(display, mouse, CALIBRATION, mapping.IDENTITY)
    return InputDevice(mouse, mapping.TABLET, ABSOLUTE, "libinput")


def everything(display: Display, device: InputDevice) -> dict[str, Value | None]:
    names = properties.names(display, device.id)
    return {name: properties.get(display, device.id, name) for name in names}


def called(display: Display, *words: str) -> Result:
    environment = {"DISPLAY": display.get_display_name(), "WAYLAND_DISPLAY": None}
    return CliRunner().invoke(cli, ["map", *words], env=environment)


def sentence(display: Display, *words: str) -> str:
    problem = called(display, *words).exception
    assert isinstance(problem, XenabsError)
    assert "\n" not in str(problem)
    return str(problem)


def test_outputs_and_monitors_are_found_where_they_are(opened: Display) -> None:
    assert outputs.regions(opened) == {
        "screen": Region(1280, 800),
        "left half": Region(640, 800),
    }
    assert outputs.find(opened, "left half") == Region(640, 800)
    assert outputs.find(opened, "320x200+960+600") == Region(320, 200, 960, 600)


def test_names_are_read_as_utf8_and_are_no_orders_to_a_terminal(
    tablet: InputDevice, opened: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = randr.get_output_info

    def renamed(*arguments: object) -> object:
        reply = asked(*arguments)
        reply._data["name"] = "Größe".encode().decode("latin1")
        return reply

    monkeypatch.setattr(randr, "get_output_info", renamed)
    monkeypatch.setattr(mapping, "tablets", lambda display: [tablet])
    with monitor(opened, "Läufer ☃\x1b[1m", "320/85x200/53+960+600"):
        shown = "Läufer ☃�[1m"
        with connection.connected(MAPPING, {"DISPLAY": opened.get_display_name()}) as display:
            names = list(outputs.regions(display))
        assert names == ["Größe", "left half", shown]
        assert f"tied to {shown} (320x200+960+600)" in called(opened, "set", shown).output
        facts = json.loads(called(opened, "status", "--json").output)
        assert (facts["tablets"][0]["to"], facts["tablets"][0]["state"]) == (shown, "tied")
        called(opened, "reset")


def test_another_output_gets_a_sentence_with_those_that_there_are(opened: Display) -> None:
    said = sentence(opened, "set", "HDMI-1")
    assert "HDMI-1" in said
    assert "screen (1280x800+0+0), left half (640x800+0+0)" in said


def test_a_region_beside_the_screen_is_told_with_the_screens_size(opened: Display) -> None:
    assert "1280x800" in sentence(opened, "set", "320x200+961+600")


@pytest.mark.parametrize("words", [("set", "screen"), ("reset",)])
def test_without_a_tablet_it_says_where_to_look(opened: Display, words: tuple[str, ...]) -> None:
    assert "xenabs status" in sentence(opened, *words)


def test_status_has_the_outputs_without_a_tablet_too(opened: Display) -> None:
    assert json.loads(called(opened, "status", "--json").output) == {
        "display": opened.get_display_name(),
        "screen": "1280x800",
        "outputs": {"screen": "1280x800+0+0", "left half": "640x800+0+0"},
        "tablets": [],
    }
    assert "left half: 640x800+0+0" in called(opened, "status").output


@pytest.mark.parametrize("tied", [False, True])
def test_a_refusal_leaves_all_as_it_was(
    opened: Display, tablet: InputDevice, tied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tied:
        mapping.tie(opened, tablet, "left", LEFT)
    before = everything(opened, tablet)
    with monkeypatch.context() as patch:
        # The calibration comes first, and is taken.
        patch.setattr(mapping, "IDENTITY", Value.floats(1))
        with pytest.raises(XenabsError, match="Coordinate Transformation Matrix"):
            mapping.tie(opened, tablet, "right", RIGHT)
    assert everything(opened, tablet) == before
    assert mapping.free(opened, tablet) is tied
    assert properties.get(opened, tablet.id, CALIBRATION) == mapping.IDENTITY


@pytest.mark.parametrize("value", [[5, 8, [1]], ["INTEGER", 7, [1]], ["INTEGER", 8, ["a"]], None])
def test_a_record_of_somebody_else_is_told(
    opened: Display, tablet: InputDevice, value: object
) -> None:
    record = json.dumps({"to": "left", "before": {CALIBRATION: value}})
    properties.put(opened, tablet.id, mapping.RECORD, Value("STRING", 8, tuple(record.encode())))
    with pytest.raises(XenabsError, match="xinput delete-prop"):
        mapping.free(opened, tablet)
    properties.delete(opened, tablet.id, mapping.RECORD)


def test_of_several_screens_none_is_tied_but_it_says_what_does_it() -> None:
    with (
        xvfb("-screen", "1", "800x600x24") as server,
        connection.connected(MAPPING, {"DISPLAY": server.name}) as display,
        pytest.raises(XenabsError, match=r"TransformationMatrix.*docs/mapping\.md"),
    ):
        mapping.tie(display, stand_in(display), "left", LEFT)


def test_what_goes_meanwhile_is_told_and_another_error_is_not_taken_for_that(
    opened: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = InputDevice(77, mapping.TABLET, ABSOLUTE, "libinput")
    monkeypatch.setattr(mapping, "tablets", lambda display: [gone])
    assert "tablet has just gone" in sentence(opened, "set", "screen")
    monkeypatch.setattr(outputs, "find", lambda display, name: display.xrandr_get_crtc_info(77, 0))
    assert "outputs have just changed" in sentence(opened, "set", "screen")
    monkeypatch.setattr(outputs, "find", lambda display, name: display.get_atom_name(1 << 28))
    assert isinstance(called(opened, "set", "screen").exception, error.BadAtom)


class _Told(Exception):
    pass


def test_a_reset_while_a_watch_looks_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    find = outputs.find
    with (
        xvfb() as server,
        connection.connected(MAPPING, {"DISPLAY": server.name}) as display,
        connection.connected(MAPPING, {"DISPLAY": server.name}) as other,
    ):
        tablet = stand_in(display)
        mapping.tie(display, tablet, str(LEFT), LEFT)
        reset = threading.Thread(target=mapping.free, args=(other, tablet), daemon=True)

        def find_late(display: Display, name: str) -> Region:
            reset.start()
            reset.join(1)
            return find(display, name)

        def tell(news: str) -> None:
            reset.join(20)
            assert not reset.is_alive(), f"it is grabbed while it tells {news!r}"
            raise _Told

        monkeypatch.setattr(mapping, "tablets", lambda display: [tablet])
        monkeypatch.setattr(outputs, "find", find_late)
        with pytest.raises(_Told):
            follow.keep_tied(display, str(RIGHT), tell)
        assert mapping.tie_of(display, tablet) is None


def test_a_watch_waits_for_a_tablet_and_ends_well_with_the_server() -> None:
    with xvfb() as server:
        watch = subprocess.Popen(
            [sys.executable, "-c", "from xenabs.cli import main; main()", *WATCH],
            env={**os.environ, "DISPLAY": server.name},
            stdout=subprocess.PIPE,
        )
        with watch:
            assert watch.stdout is not None
            assert watch.stdout.readline() == b"waiting for a device xenabs tablet\n"
            server.end()
            assert watch.wait(timeout=20) == 0


def test_the_shell_completes_names_of_outputs(opened: Display) -> None:
    environment = {
        "DISPLAY": opened.get_display_name(),
        "_XENABS_COMPLETE": "zsh_complete",
        "COMP_WORDS": "xenabs map set scr",
        "COMP_CWORD": "3",
    }
    said = CliRunner().invoke(cli, [], env=environment, prog_name="xenabs").output
    assert said.splitlines() == ["plain", "screen", "1280x800+0+0"]


@pytest.mark.parametrize(
    "desktop, words",
    [("sway", "map_to_output"), ("ubuntu:GNOME", "here: nowhere"), ("KDE", "here: nowhere")],
)
def test_a_wayland_session_is_told_where_the_compositor_has_it(desktop: str, words: str) -> None:
    environment = {"DISPLAY": None, "WAYLAND_DISPLAY": "wayland-0", "XDG_CURRENT_DESKTOP": desktop}
    problem = CliRunner().invoke(cli, ["map", "status"], env=environment).exception
    assert words in str(problem)
