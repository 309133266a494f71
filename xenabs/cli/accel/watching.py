"""xenabs accel off --watch"""

import contextlib
import signal
import sys
from types import FrameType

import click

from xenabs.cli.accel.choice import Choice
from xenabs.cli.accel.session import x_server
from xenabs.x11 import watch
from xenabs.x11.connection import ServerGone


def keep_off(choice: Choice) -> None:
    """Until SIGTERM or SIGINT, or until the X server ends: each is a good end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    with contextlib.suppress(ServerGone), x_server() as display:
        click.echo(f"watching the pointers of {display.get_display_name()}")
        watch.keep_off(display, choice.of_now, click.echo)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
