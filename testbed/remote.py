"""Running commands in dom0 and in a guest: OpenSSH's client over one lasting connection each."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from testbed.errors import BedError
from testbed.host import find_command

#: runs a command until it ends or stdin does
UNTIL_EOF = """
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ cat <&3; kill $command; } >/dev/null 2>&1 &
wait $command 2>/dev/null
"""
PATH_THERE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: ssh's own failures have this status; so may a command's
SSH_FAILED = 255


class Machine:
    """dom0 or a guest, reached through ``port`` of this machine's loopback."""

    def __init__(
        self,
        name: str,
        port: int,
        key: Path,
        directory: Path,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self._port = port
        self._key = key
        self._directory = directory
        self._environment = {"PATH": PATH_THERE, **(environment or {})}

    @property
    def _socket(self) -> Path:
        return self._directory / f"{self.name}.ssh"

    def _ssh(self, *words: str) -> list[str]:
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": str(self._directory / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "ConnectTimeout": "20",
            # A guest that is saved or very slow must keep its connection for a while.
            "ServerAliveInterval": "20",
            "ServerAliveCountMax": "6",
        }
        return [
            find_command("ssh") or "ssh",
            *("-F", "/dev/null", "-S", str(self._socket), "-i", str(self._key)),
            *("-p", str(self._port), "-l", "root"),
            *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
            *words,
        ]

    def _control(self, order: str) -> bool:
        """Tell the lasting connection something; False if there is none."""
        if not self._socket.exists():
            return False
        try:
            done = subprocess.run(
                self._ssh("-O", order, "127.0.0.1"), capture_output=True, timeout=10, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def connect(self, timeout: float = 30) -> None:
        """Make the lasting connection if it is not there.

        The other side listens before it says on its console that it is ready, so the retries are
        for a noisy machine only; a refused TCP connection is an answer, not an event to wait for.
        """
        if self._control("check"):
            return
        self._socket.unlink(missing_ok=True)
        deadline = time.monotonic() + timeout
        while True:
            done = subprocess.run(
                self._ssh("-M", "-N", "-f", "-o", "ControlPersist=yes", "127.0.0.1"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise BedError(f"{self.name} does not answer on ssh.", {"ssh": done.stderr})
            time.sleep(0.2)

    def disconnect(self) -> None:
        """End the lasting connection and what runs over it."""
        self._control("exit")
        self._socket.unlink(missing_ok=True)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The words that run ``argv`` there, its arguments kept apart as they are."""
        setting = [f"{name}={value}" for name, value in self._environment.items()]
        return self._ssh("127.0.0.1", "--", shlex.join(["env", *setting, *argv]))

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes | None = None,
        check: bool = True,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there and wait for it; its output is text.

        With ``check`` a status other than 0 is a BedError that shows the output. After ``timeout``
        seconds subprocess.TimeoutExpired is raised; the command there goes on.
        """
        self.connect()
        done = subprocess.run(
            self.command(argv),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode == SSH_FAILED and not self._control("check"):
            raise BedError(f"The connection to {self.name} broke.")
        output, errors = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        if check and done.returncode:
            raise BedError(
                f"In {self.name}, {shlex.join(argv)} ended with status {done.returncode}.",
                {"its output": f"{output}{errors}"},
            )
        return subprocess.CompletedProcess(argv, done.returncode, output, errors)

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] | None = subprocess.PIPE,
        stdout: int | IO[bytes] | None = subprocess.PIPE,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command there that lives on, by default with pipes to its stdin and stdout.

        It is this machine's ssh that the result can signal. The command there sees the end of its
        stdin when ssh ends, no signal; and stderr stays open until it has ended itself.
        """
        self.connect()
        return subprocess.Popen(self.command(argv), stdin=stdin, stdout=stdout, stderr=stderr)

    def follow(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command there that only writes, such as tail -F, with a pipe from its stdout.

        It gets SIGTERM when the result's stdin is closed, as a with statement on the result does
        at its end, or when the result is killed.
        """
        return self.popen(["sh", "-c", UNTIL_EOF, "sh", *argv])

    def put(self, file: Path, path: str) -> None:
        """Copy a file there with its permissions; a path that ends in / names a directory."""
        target = path + file.name if path.endswith("/") else path
        self.write(file.read_bytes(), target, file.stat().st_mode & 0o777)

    def write(self, data: str | bytes, path: str, mode: int = 0o644) -> None:
        """Make a file there, and the directories above it."""
        self.run(["install", "-D", "-m", f"{mode:o}", "/dev/stdin", path], stdin=data)
