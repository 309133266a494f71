"""xenabs recover"""

import click


@click.command()
def recover() -> None:
    """Bring back each vkbd and vfb that the kernel has dropped.

    Linux 7 drops them at some boots, and leaves the guest without pointer and keyboard, or without
    its framebuffer. The kernel's drivers get the devices, and udev starts xenabs for a vkbd, where
    it is installed. It is not an error if no device is missing.
    """
    # Here, so that a command which only looks loads no uinput.
    from xenabs import daemon

    found = daemon.recover()
    for device in found:
        click.echo(f"{device.name} is back: the kernel had dropped it.")
    if not found:
        click.echo("The kernel has dropped no vkbd and no vfb.")
