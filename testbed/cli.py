"""The command line of the test bed: arguments, one call, words for people."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from testbed import cache, deb, domain, host, images, suites
from testbed.bed import Bed
from testbed.errors import BedError
from testbed.progress import say, step
from testbed.remote import SSH_FAILED, Machine

#: largest screen that the guest's kernel gets a frame buffer for, in pixels each way
LARGEST = 8192


class Size(click.ParamType):
    """A screen's size such as 1280x800."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", value)
        if not found:
            self.fail(f"{value!r} is not a size such as 1280x800.", param, ctx)
        width, height = int(found[1]), int(found[2])
        if not (64 <= width <= LARGEST and 64 <= height <= LARGEST):
            self.fail(f"{value} is not between 64x64 and {LARGEST}x{LARGEST}.", param, ctx)
        return width, height


class Place(click.ParamType):
    """A path in dom0 or in the guest."""

    name = "dom0|guest:PATH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        machine, colon, path = str(value).partition(":")
        if machine not in ("dom0", "guest") or not colon or not path:
            self.fail(f"{value!r} is not dom0:PATH or guest:PATH.", param, ctx)
        return machine, path


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """A real Xen with a guest to point at, in a QEMU that needs no KVM."""


@cli.command()
@click.option("--guest", "kind", type=click.Choice(domain.KINDS), required=True, help="Its kind.")
@click.option("--init", type=click.Choice(domain.INITS), default="tiny", show_default=True)
@click.option(
    "--suite",
    type=click.Choice(tuple(suites.SUITES)),
    default=suites.DEFAULT,
    show_default=True,
    help="The guest's packages and kernel.",
)
@click.option(
    "--host",
    type=click.Choice(suites.HOSTS),
    default=suites.DEFAULT,
    show_default=True,
    help="Xen, dom0 and its QEMU.",
)
@click.option("--size", type=Size(), default="1280x800", show_default=True, help="Its screen.")
@click.option("--kernel-driver", is_flag=True, help="Leave vkbd to the kernel.")
@click.option("--console", is_flag=True, help="Show the guest's console while it boots.")
def up(
    kind: str,
    init: str,
    suite: str,
    host: str,
    size: tuple[int, int],
    kernel_driver: bool,
    console: bool,
) -> None:
    """Boot Xen if need be, and in it a fresh guest; return when its pointer can be used.

    The last line on stdout is a JSON object; "vnc" in it is where a VNC client finds the guest.
    """
    bed = Bed(host_suite=host)
    bed.up()
    wanted = domain.Wanted(
        kind=kind, init=init, suite=suite, size=size, kernel_driver=kernel_driver
    )
    bed.start_guest(wanted, echo_console=console)
    address, port = bed.vnc_address
    click.echo(
        json.dumps(
            {
                "vnc": f"{address}:{port}",
                "guest": kind,
                "suite": suite,
                "host": host,
                "size": f"{size[0]}x{size[1]}",
                "init": init,
                "driver": "kernel" if kernel_driver else "xenabs",
            }
        )
    )


def _machine(name: str) -> Machine:
    """dom0 or the guest of the bed that is up."""
    bed = Bed.running()
    if name == "dom0":
        return bed.dom0
    bed.guest.require_alive()
    return bed.guest


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("machine", type=click.Choice(("dom0", "guest")))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def sh(machine: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in dom0 or the guest, and end with its status.

    Write -- before it. stdin is passed on; DISPLAY is set where X runs.
    """
    there = _machine(machine)
    process = there.popen(command, stdin=None, stdout=None)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        status = process.wait()
    if status == SSH_FAILED:
        there.connect()  # says so if it was the connection that broke
    sys.exit(status)


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("place", type=Place())
def put(file: Path, place: tuple[str, str]) -> None:
    """Copy FILE, with its permissions, to a path in dom0 or the guest."""
    machine, path = place
    _machine(machine).put(file, path)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def shot(file: Path) -> None:
    """Save what a VNC viewer sees as FILE, a PNG picture."""
    bed = Bed.running()
    bed.guest.require_alive()
    with bed.vnc() as vnc:
        picture = vnc.framebuffer()
    picture.save(file, format="PNG")
    say(f"{file}: {picture.width}x{picture.height} pixels")


@cli.command()
def down() -> None:
    """End the guest, dom0 and Xen."""
    bed = Bed()
    bed.down()
    say("all is down")


@cli.command()
@click.option(
    "--suite",
    "names",
    type=click.Choice(tuple(suites.SUITES)),
    default=(suites.DEFAULT,),
    multiple=True,
    help="For guests of it; may be given several times.",
)
@click.option(
    "--host", type=click.Choice(suites.HOSTS), default=suites.DEFAULT, help="For Xen and dom0."
)
def build(names: tuple[str, ...], host: str) -> None:
    """Build the images that are missing or damaged, and boot nothing."""
    with step("bringing the images up to date"):
        images.obtain_host(host, thorough=True)
        for suite in names:
            for init in domain.INITS:
                images.obtain_guest(domain.Wanted(init=init, suite=suite), thorough=True)


@cli.command("deb")
@click.argument("suite", type=click.Choice(tuple(suites.SUITES)))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--version-suffix", default="", help="Appended to the version, as in +1.")
def build_deb(suite: str, directory: Path, version_suffix: str) -> None:
    """Build xenabs' Debian package in a tree of SUITE, and put it into DIRECTORY."""
    host.require(host.BUILD_COMMANDS)
    host.require_root()
    directory.mkdir(parents=True, exist_ok=True)
    with cache.locked():
        file = deb.build_in_tree(directory, suites.find(suite), version_suffix)
    click.echo(file)


def main() -> None:
    """Run the command line; what was to be expected ends in a sentence, not a traceback."""
    told(lambda: cli(prog_name="python -m testbed"))


def told(run: Callable[[], None]) -> None:
    """Run a command; a failure that is to be expected is a sentence and exit code 1."""
    try:
        run()
    except BedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        sys.exit(1)
    except subprocess.TimeoutExpired as error:
        print(f"testbed: no answer within {error.timeout:.0f} s.", file=sys.stderr)
        sys.exit(1)
