"""The display is opened, or a sentence says what to do."""

import secrets
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from x_servers import xvfb
from Xlib import error
from Xlib.display import Display

from xenabs.cli import cli
from xenabs.errors import XenabsError
from xenabs.x11 import connection
from xenabs.x11.wayland import ACCELERATION


def sentence(**environment: str) -> str:
    with pytest.raises(XenabsError) as raised:
        connection.open_display(ACCELERATION, environment)
    text = str(raised.value)
    assert "\n" not in text
    return text


def authority(path: Path, cookie: bytes) -> Path:
    """An Xauthority file for any display of any host."""
    fields = (b"", b"", b"MIT-MAGIC-COOKIE-1", cookie)
    packed = b"".join(struct.pack(">H", len(each)) + each for each in fields)
    path.write_bytes(struct.pack(">H", 0xFFFF) + packed)
    return path


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a server that wants a cookie, which python-xlib finds by XAUTHORITY."""
    cookie = authority(tmp_path / "cookie", secrets.token_bytes(16))
    monkeypatch.setenv("XAUTHORITY", str(cookie))
    with xvfb("-auth", str(cookie)) as server:
        yield server.name


def test_the_right_cookie_opens_it(locked: str) -> None:
    connection.open_display(ACCELERATION, {"DISPLAY": locked}).close()


def test_a_wrong_cookie_or_none_is_told_with_its_file(
    locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = authority(tmp_path / "wrong", secrets.token_bytes(16))
    empty = tmp_path / "empty"
    empty.touch()
    for file in (wrong, empty, tmp_path / "none"):
        monkeypatch.setenv("XAUTHORITY", str(file))
        text = sentence(DISPLAY=locked, XAUTHORITY=str(file))
        assert str(file) in text
        assert "cookie" in text
    assert capfd.readouterr().out == ""


def test_no_server_and_no_display() -> None:
    assert "DISPLAY=:0" in sentence()
    assert "':zero'" in sentence(DISPLAY=":zero")
    assert "no X server answers at :4711" in sentence(DISPLAY=":4711")
    assert "localhost:70000" in sentence(DISPLAY="localhost:70000")
    assert ":99999999999999" in sentence(DISPLAY=":99999999999999")


@pytest.mark.parametrize("variable", [{"WAYLAND_DISPLAY": "w"}, {"XDG_SESSION_TYPE": "wayland"}])
def test_a_wayland_session_is_told_where_the_setting_is(variable: dict[str, str]) -> None:
    assert "gsettings" in sentence(**variable)
    assert "swaymsg" in sentence(XDG_CURRENT_DESKTOP="sway", **variable)
    assert "System Settings" in sentence(DISPLAY=":4711", XDG_CURRENT_DESKTOP="KDE", **variable)


def test_a_server_without_xinput_is_told(
    display_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Display, "has_extension", lambda display, name: False)
    assert "has no XInput 2" in sentence(DISPLAY=display_name)


def test_a_server_that_ends_meanwhile_is_told() -> None:
    with (
        xvfb() as server,
        pytest.raises(XenabsError, match="has ended"),
        connection.connected(ACCELERATION, {"DISPLAY": server.name}) as display,
    ):
        server.end()
        display.sync()


@pytest.mark.parametrize("step", ["workarounds.apply", "is_xwayland"])
def test_a_server_that_ends_while_it_is_opened_is_told(
    display_name: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def cut(display: Display) -> None:
        raise error.ConnectionClosedError("server")

    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    monkeypatch.setattr(f"xenabs.x11.connection.{step}", cut)
    monkeypatch.setenv("DISPLAY", display_name)
    for words in (("status", "--all"), ("off", "--all", "--watch")):
        result = CliRunner().invoke(cli, ["accel", *words])
        assert isinstance(result.exception, connection.ServerGone)


def test_xvfb_is_not_xwayland(display_name: str) -> None:
    with connection.connected(ACCELERATION, {"DISPLAY": display_name}) as display:
        assert not connection.is_xwayland(display)
