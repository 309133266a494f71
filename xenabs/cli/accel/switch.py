"""xenabs accel off, on and toggle"""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from Xlib import error
from Xlib.display import Display

from xenabs.cli.accel import control, persistent, watching
from xenabs.cli.accel.choice import Choice, choice_options
from xenabs.cli.session import x_server
from xenabs.errors import XenabsError
from xenabs.install import snippets
from xenabs.install.tree import Tree
from xenabs.x11 import acceleration, devices, pointer_control
from xenabs.x11.acceleration import Acceleration
from xenabs.x11.devices import RELATIVE, XTEST, InputDevice
from xenabs.x11.wayland import ACCELERATION


@click.command()
@choice_options
@click.option(
    "--watch",
    "keep",
    is_flag=True,
    help="Stay, and do it again for each such device that comes, and when another program undoes "
    "it.",
)
@persistent.persistent_option
def off(choice: Choice, keep: bool, lasting: bool) -> None:
    """Turn acceleration off: a count of the mouse is a pixel.

    The X server keeps the former values with the device, for `on`. --all includes the core pointer
    control (xset m), which is one for all pointers, and which --watch turns off once.
    """
    if keep and lasting:
        raise click.UsageError("--watch and --persistent exclude each other.")
    if lasting:
        persistent.switch_off(choice)
        return
    if keep:
        watching.keep_off(choice)
        return
    _each(choice, acceleration.switch_off, pointer_control.switch_off)


@click.command()
@choice_options
@persistent.persistent_option
def on(choice: Choice, lasting: bool) -> None:
    """Turn acceleration on again, to the very values from before `off`.

    Nothing is guessed: what `off` has not changed is left as it is. What another program has set
    since `off` is lost. --persistent takes back what `off --persistent` did; where that is nothing,
    and a package turns acceleration off, it gives Xen's pointers the drivers' defaults.
    """
    if lasting:
        persistent.switch_on(choice)
        return
    results = _each(choice, acceleration.switch_on, pointer_control.switch_on)
    are_off = [device for device, accelerated in results.items() if accelerated is False]
    if are_off and not any(results.values()):
        raise XenabsError(_why_off(device for device in are_off if device))


def _why_off(are_off: Iterable[InputDevice]) -> str:
    """What to do about acceleration that is off, and not by `off`."""
    tree = Tree(Path("/"))
    files = dict.fromkeys(
        path for device in are_off for path in snippets.turning_off(tree, device.xens)
    )
    words = [f"{path} turns acceleration of {snippets.POINTERS[path.name]} off" for path in files]
    ours = f", where {' and '.join(words)} (see xenabs accel on --persistent)" if words else ""
    return (
        "acceleration was off without xenabs accel off, so there is no way back here: look for "
        f"what has done it in the desktop's settings and in X's configuration{ours}"
    )


@click.command()
@choice_options
def toggle(choice: Choice) -> None:
    """Turn off what is accelerated, and on what `off` has changed.

    Each device by itself: twice is as if nothing had happened.
    """
    _each(choice, acceleration.toggle, pointer_control.toggle)


def _each(
    choice: Choice,
    how: Callable[[Display, InputDevice], bool],
    how_core: Callable[[Display], bool],
) -> dict[InputDevice | None, bool | None]:
    """Change each device that is meant, and tell; whether each is accelerated then, or None.

    The core pointer control, if it is meant, is None's: True if it was changed, else None.
    Raises XenabsError in the end if the driver of one has refused.
    """
    states: dict[InputDevice | None, bool | None] = {}
    problems = []
    with x_server(ACCELERATION) as display:
        for device in choice.of(devices.present(display)):
            try:
                states[device] = _switch(display, device, how)
            except XenabsError as problem:
                problems.append(str(problem))
        if choice.everything:
            changed = how_core(display)
            control.tell(display, changed)
            states[None] = changed or None
    if problems:
        raise XenabsError("; ".join(problems))
    return states


def _switch(
    display: Display, device: InputDevice, how: Callable[[Display, InputDevice], bool]
) -> bool | None:
    """Change a device and tell what that did; whether it is accelerated, None if that is moot."""
    try:
        before = acceleration.read(display, device)
        changed = how(display, device)
        state = acceleration.read(display, device)
    except error.XError:
        click.echo(f"{device.label}: has just gone")
        return None
    click.echo(f"{device.label}: {_words(device, before, changed, state)}")
    return state.accelerated


def _words(device: InputDevice, before: Acceleration, changed: bool, state: Acceleration) -> str:
    if state.accelerated is None:
        return f"not applicable, {_why_not(device)}"
    if state.accelerated:
        if not changed:
            return f"on, not switched off by xenabs ({_how(state)})"
        was, now = _how(before), _how(state)
        another = f", no longer as another program has set it since ({was})"
        return f"on, as before ({now})" + (another if before.accelerated and was != now else "")
    if changed:
        return "off"
    return f"off already, {'' if state.switched_off else 'not '}by xenabs"


def _why_not(device: InputDevice) -> str:
    if device.driver == XTEST:
        return "it only repeats what programs post: there is nothing to turn off"
    if device.kind == RELATIVE:
        return "it has no setting of acceleration"
    return f"a device of the kind {device.kind} has no acceleration"


def _how(state: Acceleration) -> str:
    return f"{state.profile}, speed {state.speed:.4g}" if state.speed is not None else ""
