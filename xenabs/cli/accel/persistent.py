"""xenabs accel off --persistent, and on --persistent"""

from pathlib import Path

import click

from xenabs.cli.accel.choice import Choice
from xenabs.install import snippets
from xenabs.install.snippets import Change
from xenabs.install.tree import Tree

persistent_option = click.option(
    "--persistent",
    "lasting",
    is_flag=True,
    help="Do it in X's configuration instead, from its next start on; needs root.",
)


def switch_off(choice: Choice) -> None:
    """For Xen's pointers, or for all."""
    _refuse_devices(choice)
    _tell(snippets.switch_off(_tree(), choice.everything))


def switch_on(choice: Choice) -> None:
    """For whatever it was off for."""
    _refuse_devices(choice)
    _tell(snippets.switch_on(_tree()))


def _refuse_devices(choice: Choice) -> None:
    if choice.wanted:
        raise click.UsageError("--persistent is about Xen's pointers, or with --all about every.")


def _tree() -> Tree:
    return Tree(Path("/"))


def _tell(change: Change) -> None:
    for path in change.removed:
        click.echo(f"removed {path}")
    for word, files in (("wrote", change.written), ("is there already:", change.kept)):
        for path, text in files:
            click.echo(f"{word} {path}\n\n{text}")
    if change.removed or change.written:
        click.echo("X reads it when it starts; without --persistent it is done now.")
    for path in change.left:
        how = "repeat this to overrule it" if path.name == snippets.OFF else "remove it yourself"
        click.echo(f"{path} still turns acceleration of {snippets.POINTERS[path.name]} off: {how}.")
    if not (change.removed or change.written or change.kept or change.left):
        click.echo("There is no file of xenabs that turns acceleration off.")
