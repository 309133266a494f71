"""What is told of the core pointer control."""

import click
from Xlib.display import Display

from xenabs.x11 import pointer_control


def tell(display: Display, changed: bool) -> None:
    """How it is, and whether it has been so."""
    state = pointer_control.read(display)
    click.echo(
        f"core pointer control: {'' if changed else 'still '}{state.numerator}/{state.denominator},"
        f" threshold {state.threshold}"
    )
