"""The command line: one file for each command, with arguments, one call, and words for people."""

import os
import sys
import traceback

import click

from xenabs import __version__
from xenabs.cli.accel import accel
from xenabs.cli.install import install
from xenabs.cli.map import map_
from xenabs.cli.release import release
from xenabs.cli.run import run
from xenabs.cli.status import status
from xenabs.cli.uninstall import uninstall
from xenabs.errors import XenabsError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Put the pointer of a Xen guest on the pixel the VNC client named.

    xenabs reads the absolute pointer and the keyboard that the host sends over Xen's vkbd device
    and gives them to the guest as a virtual tablet and keyboard.
    """


cli.add_command(run)
cli.add_command(status)
cli.add_command(release)
cli.add_command(accel)
cli.add_command(map_)
cli.add_command(install)
cli.add_command(uninstall)


def main() -> None:
    """Run the command line; what a person can mend is one sentence, and exit code 1."""
    try:
        cli(prog_name="xenabs")
    except XenabsError as error:
        click.echo(f"xenabs: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if frame.f_code is not click.echo.__code__:
            raise
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"xenabs: cannot write what it has to say: {error.strerror}", err=True)
        sys.exit(1)
