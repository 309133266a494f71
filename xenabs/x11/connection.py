"""The one place that opens an X display, and says in a sentence why it could not."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from Xlib import error
from Xlib.display import Display
from Xlib.ext import ge, randr, xinput

from xenabs.errors import XenabsError
from xenabs.x11 import wayland, workarounds

#: what X servers say when it is about who asks; Xorg's os/auth.c and os/connection.c
_UNAUTHORISED = ("authori", "no protocol specified", "invalid mit-magic-cookie")


def open_display(setting: wayland.Setting, environment: Mapping[str, str] = os.environ) -> Display:
    """A connection to the X server of DISPLAY, with python-xlib mended and XInput 2 there.

    Raises XenabsError, with what to do, when there is none, or none that lets us in; `setting` is
    what it is opened for, to say where a Wayland compositor has that.
    """
    name = environment.get("DISPLAY", "")
    if not name:
        if wayland.session(environment):
            raise XenabsError(
                f"this is a Wayland session without an X server: {setting.advice(environment)}"
            )
        raise XenabsError(
            "there is no X server to talk to, as DISPLAY is not set: call it inside the X session, "
            "or name the server, as in DISPLAY=:0 xenabs ..."
        )
    try:
        with workarounds.quiet(), workarounds.any_host():
            display = Display(name)
    except (error.DisplayNameError, OverflowError):  # the latter for numbers beyond any port
        raise XenabsError(
            f"DISPLAY is {name!r}, which names no X server: it should be like :0"
        ) from None
    except (error.DisplayConnectionError, error.ConnectionClosedError) as problem:
        raise XenabsError(_refusal(name, problem, setting, environment)) from None
    if not (display.has_extension(xinput.extname) and display.has_extension(ge.extname)):
        display.close()
        raise XenabsError(
            f"the X server {name} has no XInput 2, so it tells nothing of its devices"
        )
    workarounds.apply(display)
    display.xinput_query_version()
    return display


def _refusal(
    name: str, problem: Exception, setting: wayland.Setting, environment: Mapping[str, str]
) -> str:
    said = getattr(problem, "msg", None) or str(problem)
    reason = (said.decode(errors="replace") if isinstance(said, bytes) else said).strip()
    if any(words in reason.lower() for words in _UNAUTHORISED):
        file = environment.get("XAUTHORITY") or "~/.Xauthority"
        return (
            f"the X server {name} does not accept the cookie in {file} ({reason}): call it as the "
            "user whose session that is, with XAUTHORITY as in that session"
        )
    if wayland.session(environment):
        return (
            f"no X server answers at {name} ({reason}), and this is a Wayland session: "
            + setting.advice(environment)
        )
    return (
        f"no X server answers at {name} ({reason}): start it, or set DISPLAY to the one that runs; "
        "/tmp/.X11-unix has their sockets"
    )


class ServerGone(XenabsError):
    """The X server has ended, or has closed the connection."""


@contextlib.contextmanager
def connected(
    setting: wayland.Setting, environment: Mapping[str, str] = os.environ
) -> Iterator[Display]:
    """`open_display` for a while. Raises ServerGone, too, when the server goes away meanwhile."""
    try:
        display = open_display(setting, environment)
        yield display
        display.close()
    except error.ConnectionClosedError:
        raise ServerGone(
            f"the X server {environment.get('DISPLAY')} has ended, or has closed the connection: "
            "repeat it when it runs again"
        ) from None


def is_xwayland(display: Display) -> bool:
    """Whether this X server is XWayland, whose pointer devices are the compositor's.

    It says so by an extension, since 23.1. Before, its outputs are XWAYLAND0 and so on, and its
    devices, which are there as soon as the compositor has a pointer, begin with "xwayland-".
    """
    if "XWAYLAND" in display.list_extensions():
        return True
    devices = display.xinput_query_device(xinput.AllDevices).devices
    if any(device.name.startswith("xwayland-") for device in devices):
        return True
    if not display.has_extension(randr.extname):
        return False
    resources = display.screen().root.xrandr_get_screen_resources_current()
    outputs = (
        display.xrandr_get_output_info(output, resources.config_timestamp)
        for output in resources.outputs
    )
    return any(output.name.startswith("XWAYLAND") for output in outputs)
