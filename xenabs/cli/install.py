"""xenabs install"""

import posixpath
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xenabs.cli.root import root_option

if TYPE_CHECKING:
    from xenabs.install.tree import Tree


@click.command()
@root_option
@click.option(
    "--executable",
    metavar="PATH",
    help="Where xenabs is in that tree.  [default: where it is here]",
)
@click.option("--force", is_flag=True, help="Replace files that somebody has changed.")
def install(root: Path, executable: str | None, force: bool) -> None:
    """Have udev and systemd start xenabs.

    Puts the udev rule, the units, the list of kernel modules, X's snippets, the shells'
    completions and the manual page into this guest, or into the tree of an image. A distribution's
    package of xenabs does that by itself; this is for one by pip.
    """
    # Here, so that the daemon, which is started in a hurry, loads none of it.
    from xenabs.install import files, installation, live, program
    from xenabs.install.tree import Tree

    tree = Tree(root)
    found = program.find(tree, posixpath.join("/", executable or _own(tree)))
    for path in installation.write(tree, found, force):
        click.echo(f"wrote {path}")
    if live.running(tree.root):
        live.take_over(files.modules())
        click.echo("udev has been told to start xenabs for each vkbd: see xenabs status.")
    else:
        click.echo("systemd does not run there: xenabs starts at the next boot as a Xen guest.")


def _own(tree: "Tree") -> str:
    """The program that runs; the tree may be mounted here, or have it at the same place."""
    own = Path(sys.argv[0]).absolute()
    return str(own.relative_to(tree.root) if own.is_relative_to(tree.root) else own)
