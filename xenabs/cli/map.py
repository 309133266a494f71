"""xenabs map"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem
from Xlib import error
from Xlib.display import Display
from Xlib.ext import randr, xinput

from xenabs.cli.session import watched, x_server
from xenabs.cli.table import table
from xenabs.errors import XenabsError
from xenabs.x11 import connection, follow, mapping, outputs, workarounds
from xenabs.x11.devices import InputDevice
from xenabs.x11.wayland import MAPPING

TITLES = ("id", "device", "driver", "tied to", "region", "state")


@click.group("map")
def map_() -> None:
    """Tie the tablet to one of several outputs.

    The host's pointer is on the screen that the host shows, which is one output of the guest. X
    spreads the tablet over all outputs. These commands tie it to one, to the pixel, in the X server
    that runs, with libinput or evdev, until that ends or the tablet goes; `set --watch` keeps it
    tied.
    """


@map_.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show what the tablet is tied to, and what outputs there are.

    The state is free, tied, or outdated: then the outputs have changed, and `set` has to be
    repeated.
    """
    with _x_server() as display:
        facts = _facts(display)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    rows = [[str(cell or "-") for cell in each.values()] for each in facts["tablets"]]
    click.echo(table([TITLES, *rows]) if rows else f"X has no {mapping.TABLET}.")
    for name, region in facts["outputs"].items():
        click.echo(f"output {name}: {region}")


def _facts(display: Display) -> dict[str, Any]:
    """All of it, ready for JSON; "to" and "region" are null for what is not tied or not there."""
    screen = workarounds.screen_size(display)
    regions = outputs.regions(display)
    return {
        "display": display.get_display_name(),
        "screen": "{}x{}".format(*screen),
        "outputs": {name: str(region) for name, region in regions.items()},
        "tablets": [_tablet_facts(display, each) for each in mapping.tablets(display)],
    }


def _tablet_facts(display: Display, tablet: InputDevice) -> dict[str, Any]:
    tie = mapping.tie_of(display, tablet)
    region, state = None, "free"
    if tie:
        state = "outdated"
        with contextlib.suppress(XenabsError):
            region = outputs.find(display, tie.to)
            if mapping.in_place(display, tablet, region):
                state = "tied"
    return {
        "id": tablet.id,
        "device": tablet.name,
        "driver": tablet.driver,
        "to": tie.to if tie else None,
        "region": str(region) if region else None,
        "state": state,
    }


def _complete(context: click.Context, parameter: click.Parameter, so_far: str) -> list[Any]:
    """Names of outputs and monitors that begin so; nothing where there is no X server."""
    try:
        with connection.connected(MAPPING) as display:
            regions = outputs.regions(display)
    except XenabsError:
        return []
    return [
        CompletionItem(name, help=str(region))
        for name, region in regions.items()
        if name.startswith(so_far)
    ]


@map_.command("set")
@click.argument("output", shell_complete=_complete)
@click.option(
    "--watch",
    is_flag=True,
    help="Stay, and follow the output as it is moved or resized, and the tablet as it comes again.",
)
def set_(output: str, watch: bool) -> None:
    """Tie the tablet to OUTPUT.

    OUTPUT is the name of an output or monitor, as `xrandr` and `xrandr --listmonitors` have it, or
    a region of the screen, WxH+X+Y in pixels. The X server keeps with the tablet what was before,
    for `reset`.
    """
    if watch:
        with watched(MAPPING) as display:
            follow.keep_tied(display, output, click.echo)
        return
    with _x_server() as display:
        region = outputs.find(display, output)
        for tablet in _tablets(display):
            changed = mapping.tie(display, tablet, output, region)
            click.echo(
                f"{tablet.label}: {'' if changed else 'already '}tied to {output} ({region})"
            )


@map_.command()
def reset() -> None:
    """Set the tablet free, to the very values from before `set`."""
    with _x_server() as display:
        for tablet in _tablets(display):
            freed = mapping.free(display, tablet)
            click.echo(f"{tablet.label}: {'as before' if freed else 'not tied by xenabs'}")


@contextlib.contextmanager
def _x_server() -> Iterator[Display]:
    with x_server(MAPPING) as display:
        try:
            yield display
        except error.XError as problem:
            if gone := _gone(display, problem):
                raise XenabsError(gone) from None
            raise


def _gone(display: Display, problem: error.XError) -> str | None:
    """What to say where an error is about a device, output or CRTC that was there before."""
    devices = display.query_extension(xinput.extname)
    if problem.code == devices.first_error:
        return "the tablet has just gone: repeat it when xenabs runs"
    screens = display.query_extension(randr.extname)
    if screens and problem.code - screens.first_error in (randr.BadRROutput, randr.BadRRCrtc):
        return "the outputs have just changed: repeat it"
    return None


def _tablets(display: Display) -> list[InputDevice]:
    found = mapping.tablets(display)
    if not found:
        raise XenabsError(
            f"X has no device {mapping.TABLET}: `xenabs status` shows whether xenabs runs"
        )
    return found
