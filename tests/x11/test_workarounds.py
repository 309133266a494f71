"""Each work-around works, and python-xlib still needs it: where it does not, take it out."""

import secrets
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from x_servers import number, xvfb
from Xlib import X, error
from Xlib.display import Display
from Xlib.ext import xinput, xtest
from Xlib.protocol import rq

from xenabs.x11 import devices, workarounds

PROFILE = "Device Accel Profile"


@pytest.fixture
def mended(display_name: str) -> Iterator[Display]:
    connection = Display(display_name)
    workarounds.apply(connection)
    yield connection
    connection.close()


def test_opening_prints_nothing(
    display_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = tmp_path / "authority"
    empty.touch()
    monkeypatch.setenv("XAUTHORITY", str(empty))
    Display(display_name).close()
    assert capsys.readouterr().out != "", "upstream is mended"
    with workarounds.quiet():
        Display(display_name).close()
    assert capsys.readouterr().out == ""


def test_a_cookie_for_any_host_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(family: int, *fields: bytes) -> bytes:
        packed = (struct.pack(">H", len(each)) + each for each in fields)
        return struct.pack(">H", family) + b"".join(packed)

    kind, cookie = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    host = socket.gethostname().encode()
    file = tmp_path / "authority"
    file.write_bytes(entry(0xFFFF, b"", b"", kind, cookie))
    monkeypatch.setenv("XAUTHORITY", str(file))
    with xvfb("-auth", str(file)) as server:
        with pytest.raises(error.DisplayConnectionError):
            Display(server.name)
        for others in (b"", entry(256, b"another", b"", kind, b"x" * 16)):
            number = server.name.removeprefix(":").encode()
            file.write_bytes(others + entry(0xFFFF, b"", number, kind, cookie))
            with workarounds.any_host():
                Display(server.name).close()
        for wrong in (
            [(0xFFFF, b"", number + b"1", kind, cookie)],
            [(0xFFFF, b"", b"", kind, cookie), (256, host, b"", kind, b"x" * 16)],
        ):
            file.write_bytes(b"".join(entry(*each) for each in wrong))
            with workarounds.any_host(), pytest.raises(error.DisplayConnectionError):
                Display(server.name)


def test_a_bad_value_is_a_bad_value(display: Display, mended: Display) -> None:
    with pytest.raises(AttributeError):
        display.change_pointer_control(accel=(1, -5), threshold=0)
        display.sync()
    with pytest.raises(error.BadValue):
        workarounds.change_pointer_control(mended, 1, -5, 0)


def test_device_changed_has_its_classes() -> None:
    with xvfb() as server:
        plain, mended = Display(server.name), Display(server.name)
        workarounds.apply(mended)
        for each in (plain, mended):
            masks = [(xinput.AllMasterDevices, xinput.DeviceChangedMask)]
            each.screen().root.xinput_select_events(masks)
            each.sync()
        # The virtual core pointer changes from the mouse's axes to XTEST's.
        xtest.fake_input(mended, X.MotionNotify, x=5, y=5)
        event = mended.next_event()
        assert event.evtype == xinput.DeviceChanged
        axes = [each for each in event.data.classes if each.type == xinput.ValuatorClass]
        assert [each.number for each in axes] == [0, 1]
        assert event.data.reason == xinput.SlaveSwitch
        try:
            event = plain.next_event()
        except (struct.error, AssertionError):
            return
        assert not hasattr(event.data, "classes"), "upstream is mended"


def test_the_pointer_is_where_it_was_put(mended: Display) -> None:
    assert not hasattr(mended, "xinput_query_pointer"), "upstream is mended"
    xtest.fake_input(mended, X.MotionNotify, x=321, y=123)
    assert workarounds.query_pointer(mended, 2) == (321, 123)
    with pytest.raises(error.XError):
        workarounds.query_pointer(mended, number(mended))


def test_a_refused_property_is_raised(
    display: Display, mended: Display, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TypeError):
        display.xinput_change_device_property(
            number(display), 1, 1, X.PropModeReplace, (32, []), onerror=error.CatchError()
        )
    with pytest.raises(TypeError):
        display.xinput_delete_device_property(number(display), 1, onerror=error.CatchError())
    integer = mended.get_atom("INTEGER")
    for device, name, values in [
        (number(mended), PROFILE, [1, 2]),
        (number(mended), "Device Enabled", [1]),
        (4711, PROFILE, [1]),
    ]:
        with pytest.raises(error.XError):
            atom = mended.get_atom(name)
            workarounds.change_device_property(mended, device, atom, integer, 32, values)
    with pytest.raises(error.BadAccess):
        atom = mended.get_atom("Device Enabled")
        workarounds.delete_device_property(mended, number(mended), atom)
    assert capfd.readouterr().err == ""


def test_the_ratio_alone_is_refused_by_python_xlib(display: Display) -> None:
    with pytest.raises(struct.error):
        display.change_pointer_control(accel=(1, 1))
    before = display.get_pointer_control()
    workarounds.change_pointer_control(display, 3, 2, 7)
    now = display.get_pointer_control()
    assert (now.accel_num, now.accel_denom, now.threshold) == (3, 2, 7)
    workarounds.change_pointer_control(
        display, before.accel_num, before.accel_denom, before.threshold
    )


def test_an_integer_is_signed(mended: Display) -> None:
    name, integer = mended.get_atom(PROFILE), mended.get_atom("INTEGER")

    def profile() -> int:
        reply = mended.xinput_get_device_property(number(mended), name, X.AnyPropertyType, 0, 1)
        return int(reply.value[1][0])

    before = profile()
    minus_one = workarounds.unsigned(-1)
    workarounds.change_device_property(mended, number(mended), name, integer, 32, [minus_one])
    assert profile() == 0xFFFFFFFF, "upstream is mended"
    assert workarounds.signed(profile()) == -1
    with pytest.raises(OverflowError):
        mended.xinput_change_device_property(
            number(mended), name, integer, X.PropModeReplace, (32, [-1])
        )
    workarounds.change_device_property(mended, number(mended), name, integer, 32, [before])


def test_a_name_is_utf8() -> None:
    with xvfb() as server:
        display = Display(server.name)
        add_master(display, "Mäuse ®\n\x9b")
        names = {each.name for each in display.xinput_query_device(xinput.AllDevices).devices}
        assert "MÃ¤use Â®\n\xc2\x9b pointer" in names, "upstream is mended"
        assert display.get_atom_name(display.get_atom("ä")) == "Ã¤", "upstream is mended"
        (ours,) = [
            each
            for each in devices.present(display)
            if "®" in each.name and each.kind == devices.RELATIVE
        ]
        assert ours.name == "Mäuse ®�� XTEST pointer"


def add_master(display: Display, name: str) -> None:
    """Add a master device with its XTEST devices: XInput 2's request 43."""
    data = name.encode()
    padded = data + bytes(-len(data) % 4)
    change = struct.pack("=HHHBB", 1, 2 + len(padded) // 4, len(data), 1, 1) + padded
    _XIChangeHierarchy(
        display=display.display,
        opcode=display.display.get_extension_major(xinput.extname),
        changes=struct.pack("=B3x", 1) + change,
    )
    display.sync()


class _XIChangeHierarchy(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(43), rq.RequestLength(), rq.Binary("changes")
    )


def test_the_size_is_the_present_one() -> None:
    with xvfb() as server:
        display = Display(server.name)
        before, now = (1280, 800), (1024, 768)
        root = display.screen().root
        resources = root.xrandr_get_screen_resources()
        (crtc,) = resources.crtcs
        display.xrandr_set_crtc_config(crtc, resources.config_timestamp, 0, 0, 0, 1, [])
        root.xrandr_set_screen_size(*now, 300, 200)
        assert workarounds.screen_size(display) == now
        screen = display.screen()
        stale = (screen.width_in_pixels, screen.height_in_pixels)
        assert stale == before, "upstream is mended"
