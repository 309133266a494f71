"""xenabs uninstall"""

from pathlib import Path

import click

from xenabs.cli.root import root_option
from xenabs.errors import XenabsError


@click.command()
@root_option
@click.option("--force", is_flag=True, help="Remove files that somebody has changed, too.")
def uninstall(root: Path, force: bool) -> None:
    """Take away what `xenabs install` and `xenabs accel --persistent` wrote.

    In the guest that runs it ends xenabs first, and gives each vkbd to the kernel's driver.
    """
    # Here, so that the daemon, which is started in a hurry, loads none of it.
    from xenabs.install import installation, live
    from xenabs.install.tree import Tree

    tree = Tree(root)
    if not installation.present(tree):
        click.echo(f"There is nothing of xenabs install in {tree.root}.")
        return
    running = live.running(tree.root)
    if running:
        # Here, so that work on an image loads no uinput.
        from xenabs import daemon

        live.give_back(daemon.release, lambda problem: click.echo(f"xenabs: {problem}", err=True))
    removed, left = installation.remove(tree, force)
    for path in removed:
        click.echo(f"removed {path}")
    if running:
        live.forget()
    if left:
        raise XenabsError(
            f"{', '.join(map(str, left))}: not as xenabs install wrote it, and left; look at it, "
            "then repeat with --force to remove it"
        )
