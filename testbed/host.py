"""The machine the bed runs on: which of its commands are needed, and running them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed.errors import BedError, last_lines

#: command -> the Debian package that has it
BUILD_COMMANDS = {
    "apt-cache": "apt",
    "apt-config": "apt",
    "apt-get": "apt",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "make": "make",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "modprobe": "kmod",
    "tar": "tar",
    "zstd": "zstd",
}
RUN_COMMANDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tail": "coreutils",
}


def find_command(name: str) -> str | None:
    """The path of a command; system directories count even where PATH leaves them out."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=f"{path}:/usr/sbin:/sbin")


def require(commands: dict[str, str]) -> None:
    """Fail with the Debian packages to install if a command is missing."""
    missing = sorted({package for name, package in commands.items() if not find_command(name)})
    if missing:
        raise BedError(
            f"This machine lacks what the test bed needs: install {', '.join(missing)} "
            f"(apt-get install {' '.join(missing)})."
        )


def require_root() -> None:
    """Building a Debian tree needs its owners and permissions kept, hence root."""
    if os.geteuid() != 0:
        raise BedError("The test bed's images can only be built by root: run this as root.")


def call(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: dict[str, str] | None = None,
    problem: str,
) -> bytes:
    """Run a command of this machine and return its stdout.

    If it fails, raise BedError with the sentence ``problem`` and the command's last words.
    """
    words = [str(word) for word in argv]
    words[0] = find_command(words[0]) or words[0]
    done = subprocess.run(
        words,
        cwd=cwd,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=None if env is None else {**os.environ, **env},
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace")
        raise BedError(problem, {f"{argv[0]} (status {done.returncode})": last_lines(said)})
    return done.stdout
