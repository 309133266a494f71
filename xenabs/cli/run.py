"""xenabs run"""

import logging

import click

from xenabs.xen import bus


@click.command()
@click.argument("device", required=False)
@click.option(
    "--source",
    type=click.Choice(["ring"]),
    default="ring",
    show_default=True,
    help="Where events come from. ring: xenabs takes the device from the kernel's driver and reads "
    "the ring itself.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more about what happens.")
def run(device: str | None, source: str, verbose: bool) -> None:
    """Be the frontend of DEVICE, for example vkbd-0, in the foreground.

    Without DEVICE it is the only vkbd there is. SIGTERM and SIGINT close the connection; the device
    stays without a driver then, until xenabs runs again or `xenabs release` gives it back.
    """
    # Here, so that a command which only looks loads no uinput.
    from xenabs import daemon

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="xenabs: %(message)s"
    )
    daemon.run(bus.find(device))
