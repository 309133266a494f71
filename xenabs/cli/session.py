"""The X server whose devices are meant."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import connection
from xenabs.x11.wayland import Setting


@contextlib.contextmanager
def x_server(setting: Setting) -> Iterator[Display]:
    """The one of DISPLAY; XWayland is refused, since whatever is set there moves nothing."""
    with connection.connected(setting) as display:
        if connection.is_xwayland(display):
            raise XenabsError(
                f"the X server {display.get_display_name()} is XWayland, which has no pointer of "
                f"its own: {setting.advice()}"
            )
        yield display


@contextlib.contextmanager
def watched(setting: Setting) -> Iterator[Display]:
    """The same until SIGTERM or SIGINT, or until the X server ends: each is a good end.

    Raises ServerGone when it has ended before there was anything to do.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    begun = False
    try:
        with x_server(setting) as display:
            begun = True
            yield display
    except connection.ServerGone:
        if not begun:
            raise


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
