"""xenabs release"""

import click

from xenabs.xen import bus


@click.command()
@click.argument("device", required=False)
def release(device: str | None) -> None:
    """Give DEVICE back to the kernel's driver.

    Stop the xenabs that has the device, if one does, and wait until the kernel's driver is
    connected. Without DEVICE it is the only vkbd there is.
    """
    # Here, so that a command which only looks loads no uinput.
    from xenabs import daemon

    found = bus.find(device)
    daemon.release(found)
    click.echo(f"{found.name} is the kernel driver's.")
