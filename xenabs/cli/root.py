"""The option --root of the commands that work on a guest's tree."""

from pathlib import Path

import click

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default="/",
    show_default=True,
    metavar="DIR",
    help="Where the guest's tree is.",
)
