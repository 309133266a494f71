"""xenabs run"""

import logging
import os
import sys

import click

from xenabs.sources.choice import AUTO, RING
from xenabs.xen import bus


@click.command()
@click.argument("device", required=False)
@click.option(
    "--source",
    type=click.Choice([AUTO, RING]),
    default=AUTO,
    show_default=True,
    help="Where events come from. ring: xenabs takes the device from the kernel's driver and reads "
    "the ring itself. auto: the ring where that is safe, which `xenabs status` explains.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more about what happens.")
def run(device: str | None, source: str, verbose: bool) -> None:
    """Be the frontend of DEVICE, for example vkbd-0, in the foreground.

    Without DEVICE it is the only vkbd there is. SIGTERM and SIGINT close the connection and give
    the device back to the kernel's driver.
    Exit code 75 asks for another start: after SIGHUP, which ends it without closing, so that the
    next one, started within 30 seconds, goes on; and when DEVICE was detached, which may be there
    again by now.
    """
    # Here, so that a command which only looks loads no uinput.
    from xenabs import daemon

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="xenabs: %(message)s"
    )
    if daemon.run(bus.find(device), source):
        sys.exit(os.EX_TEMPFAIL)
