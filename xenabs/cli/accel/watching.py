"""xenabs accel off --watch"""

import click

from xenabs.cli.accel import control
from xenabs.cli.accel.choice import Choice
from xenabs.cli.session import watched
from xenabs.x11 import pointer_control, watch
from xenabs.x11.wayland import ACCELERATION


def keep_off(choice: Choice) -> None:
    """Until a signal or the X server ends it."""
    with watched(ACCELERATION) as display:
        click.echo(f"watching the pointers of {display.get_display_name()}")
        if choice.everything:
            control.tell(display, pointer_control.switch_off(display))
        watch.keep_off(display, choice.of_now, click.echo)
