"""The command line: one file for each command, with arguments, one call, and words for people."""

import os
import sys
import traceback
from importlib import import_module

import click

from xenabs import __version__
from xenabs.errors import XenabsError

COMMANDS = {
    "run": "run",
    "status": "status",
    "release": "release",
    "recover": "recover",
    "accel": "accel",
    "map": "map_",
    "install": "install",
    "uninstall": "uninstall",
}
"""The function of each, in the module of its name."""


class _OnDemand(click.Group):
    """Imports a command when it is asked for: the daemon has no use for what the others need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = import_module(f"{__name__}.{cmd_name}")
            self.add_command(getattr(module, COMMANDS[cmd_name]))
        return super().get_command(ctx, cmd_name)


@click.group(cls=_OnDemand, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Put the pointer of a Xen guest on the pixel the VNC client named.

    xenabs reads the absolute pointer and the keyboard that the host sends over Xen's vkbd device
    and gives them to the guest as a virtual tablet and keyboard.
    """


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
