"""xenabs recover"""

import click


@click.command()
def recover() -> None:
    """Bring back each vkbd that the kernel has dropped.

    Linux 7 drops a device at some boots, and leaves the guest without pointer and keyboard. The
    kernel's driver gets the device, and udev starts xenabs for it, where that is installed. It is
    not an error if no device is missing.
    """
    # Here, so that a command which only looks loads no uinput.
    from xenabs import daemon

    found = daemon.recover()
    for device in found:
        click.echo(f"{device.name} is back: the kernel had dropped it.")
    if not found:
        click.echo("The kernel has dropped no vkbd.")
