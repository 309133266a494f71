"""xenabs accel off --watch"""

import click

from xenabs.cli.accel import control
from xenabs.cli.accel.choice import Choice
from xenabs.cli.session import watched
from xenabs.x11 import pointer_control, watch
from xenabs.x11.devices import InputDevice
from xenabs.x11.wayland import ACCELERATION


def keep_off(choice: Choice) -> None:
    """Until a signal or the X server ends it."""
    with watched(ACCELERATION) as display:
        click.echo(f"watching the pointers of {display.get_display_name()}")
        if choice.everything:
            control.tell(display, pointer_control.switch_off(display))
        watch.keep_off(display, telling(choice), click.echo)


def telling(choice: Choice) -> watch.Choice:
    """Choose, and tell what it begins to wait for."""
    waiting: list[str] = []

    def chosen(present: list[InputDevice]) -> list[InputDevice]:
        missing = choice.missing(present)
        for what in missing:
            if what not in waiting:
                click.echo(f"waiting for {what}")
        waiting[:] = missing
        return choice.of_now(present)

    return chosen
