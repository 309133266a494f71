"""Which devices: the options --device and --all, and the shell's completion of names."""

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click
from click.shell_completion import CompletionItem

from xenabs.errors import XenabsError
from xenabs.x11 import connection, devices
from xenabs.x11.devices import InputDevice
from xenabs.x11.wayland import ACCELERATION


@dataclass(frozen=True)
class Choice:
    """What was chosen on the command line."""

    wanted: tuple[str, ...]
    everything: bool

    def of(self, present: list[InputDevice]) -> list[InputDevice]:
        """Those that are meant. Raises XenabsError for a device that is not there, and for none."""
        found = devices.choose(present, self.wanted, self.everything)
        if not found:
            raise XenabsError(
                "X has no pointer at all"
                if self.everything
                else "X has no pointer of Xen's or xenabs': choose one with --device, or --all"
            )
        return found

    def of_now(self, present: list[InputDevice]) -> list[InputDevice]:
        """Those that are meant, as far as they are there. Raises XenabsError for a master."""
        if not self.wanted:
            return devices.choose(present, everything=self.everything)
        found: dict[InputDevice, None] = {}
        for word in self.wanted:
            with suppress(devices.NoSuchDevice):
                found |= dict.fromkeys(devices.choose(present, [word]))
        return list(found)

    def missing(self, present: list[InputDevice]) -> list[str]:
        """What is meant and not there, for people."""
        if not self.wanted:
            what = "a pointer" if self.everything else "a pointer of Xen's or xenabs'"
            return [] if self.of_now(present) else [what]
        return [
            f"a device {word!r}"
            for word in self.wanted
            if not Choice((word,), False).of_now(present)
        ]


def _complete(context: click.Context, parameter: click.Parameter, so_far: str) -> list[Any]:
    """Names of the pointers that begin so; nothing where there is no X server."""
    try:
        with connection.connected(ACCELERATION) as display:
            pointers = devices.choose(devices.present(display), everything=True)
    except XenabsError:
        return []
    return [
        CompletionItem(_quoted(each.name), help=f"{each.driver}, {each.kind}")
        for each in pointers
        if each.name.startswith(so_far)
    ]


def _quoted(name: str) -> str:
    """As the shell wants it: bash puts it into the line as it is, zsh and fish quote by themselves.

    Behind a quotation mark it is quoted already. Backslashes would not outlive click's script.
    """
    if not os.environ.get("_XENABS_COMPLETE", "").startswith("bash"):
        return name
    last = os.environ.get("COMP_WORDS", "").rpartition("\n")[2]
    if last[:1] in ("'", '"'):
        return name
    return shlex.quote(name)


def choice_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --device and --all to a command, which gets both as a `choice`."""

    @click.option(
        "--device",
        "wanted",
        metavar="NAME|ID",
        multiple=True,
        shell_complete=_complete,
        help="This device, as `xinput list` names or numbers it; no master; may be given again.",
    )
    @click.option("--all", "everything", is_flag=True, help="Every pointer but XTEST's.")
    @wraps(command)
    def with_choice(wanted: tuple[str, ...], everything: bool, **others: Any) -> None:
        if wanted and everything:
            raise click.UsageError("--device and --all exclude each other.")
        command(choice=Choice(wanted, everything), **others)

    return with_choice
