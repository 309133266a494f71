"""xenabs accel status"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from Xlib import error
from Xlib.display import Display

from xenabs.cli.accel.choice import Choice, choice_options
from xenabs.cli.session import x_server
from xenabs.cli.table import table
from xenabs.x11 import acceleration, devices, pointer_control
from xenabs.x11.acceleration import Acceleration
from xenabs.x11.devices import InputDevice
from xenabs.x11.pointer_control import PointerControl
from xenabs.x11.wayland import ACCELERATION

TITLES = ("id", "device", "driver", "kind", "profile", "speed", "accelerated")


@click.command()
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(choice: Choice, as_json: bool) -> None:
    """Show each pointer that is meant, and whether it is accelerated.

    The speed is libinput's, from -1 to 1, or the factor of the server's own acceleration. That is
    not applicable to a device with absolute coordinates, nor to an XTEST device, which only repeats
    what programs post.
    """
    with x_server(ACCELERATION) as display:
        states = _states(display, choice.of(devices.present(display)))
        control = pointer_control.read(display)
        name = display.get_display_name()
    if as_json:
        click.echo(json.dumps(_facts(name, states, control), indent=2))
        return
    rows = [_row(device, state) for device, state in states]
    click.echo(table([TITLES, *rows]))
    by_xenabs = ", by xenabs" if control.switched_off else ""
    click.echo(
        f"core pointer control: {control.numerator}/{control.denominator}, "
        f"threshold {control.threshold}{by_xenabs}"
    )


def _states(
    display: Display, chosen: Sequence[InputDevice]
) -> list[tuple[InputDevice, Acceleration]]:
    """Of each, less those that go away meanwhile."""
    states = []
    for device in chosen:
        try:
            states.append((device, acceleration.read(display, device)))
        except error.XError:
            continue
    return states


def _facts(
    name: str, states: Sequence[tuple[InputDevice, Acceleration]], control: PointerControl
) -> dict[str, Any]:
    """The same for programs; "accelerated" is null where it is not applicable."""
    return {
        "display": name,
        "devices": [{**asdict(device), **asdict(state)} for device, state in states],
        "pointer_control": {**asdict(control), "accelerated": control.accelerated},
    }


def _row(device: InputDevice, state: Acceleration) -> tuple[str, ...]:
    answer = {None: "not applicable", True: "yes", False: "no"}[state.accelerated]
    return (
        str(device.id),
        device.name,
        device.driver,
        device.kind,
        "-" if state.profile is None else state.profile,
        "-" if state.speed is None else f"{state.speed:.4g}",
        f"{answer}, by xenabs" if state.switched_off and not state.accelerated else answer,
    )
