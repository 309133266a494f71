"""bash completes the names of pointers, spaces and all, by the file that the package has."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "completions/bash/xenabs"
PATIENCE = 20
#: the completion calls the program; what is typed in the end tells its arguments instead
SET_UP = f". '{FILE}'; xenabs() {{ printf '[%s]' \"$@\"; printf '\\n'; }}; PS1=; echo re''ady\n"


class Bash:
    """One at a terminal, as a person has it."""

    def __init__(self, display_name: str) -> None:
        self._terminal, other = pty.openpty()
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-i"],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**os.environ, "DISPLAY": display_name, "PATH": programs, "TERM": "dumb"},
        )
        os.close(other)
        self.type(SET_UP)
        self.until("ready\r\n")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def until(self, text: str) -> str:
        """What it writes, up to these words."""
        written = ""
        deadline = time.monotonic() + PATIENCE
        while text not in written:
            ready, _, _ = select.select([self._terminal], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} is not in {written!r}"
            written += os.read(self._terminal, 1000).decode()
        return written


@pytest.fixture
def bash(display_name: str) -> Iterator[Bash]:
    shell = Bash(display_name)
    yield shell
    shell.close()


@pytest.mark.parametrize("typed", ["", "Xv", "Xvfb\\ ", "'Xvfb m", '"X'])
def test_a_tab_completes_a_name(bash: Bash, typed: str) -> None:
    bash.type(f"xenabs accel off --device {typed}\t")
    bash.until("mouse")
    bash.type("\n")
    bash.until("[accel][off][--device][Xvfb mouse]")


def test_a_tab_completes_commands(bash: Bash) -> None:
    bash.type("xenabs acc\ttog\t--al\t\n")
    bash.until("[accel][toggle][--all]")
