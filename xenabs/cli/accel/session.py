"""The X server whose pointers are meant."""

import contextlib
from collections.abc import Iterator

from Xlib.display import Display

from xenabs.errors import XenabsError
from xenabs.x11 import connection
from xenabs.x11.wayland import ACCELERATION


@contextlib.contextmanager
def x_server() -> Iterator[Display]:
    """The one of DISPLAY; XWayland is refused, since whatever is set there moves nothing."""
    with connection.connected(ACCELERATION) as display:
        if connection.is_xwayland(display):
            raise XenabsError(
                f"the X server {display.get_display_name()} is XWayland, which has no mouse of its "
                f"own: {ACCELERATION.advice()}"
            )
        yield display
