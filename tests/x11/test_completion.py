"""Shells complete the names of pointers, spaces and all, by the files that the package has."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "completions"
PATIENCE = 20
BASH = (
    ["bash", "--noprofile", "--norc", "-i"],
    f". '{FILES}/bash/xenabs'; PS1=; echo re''ady\n",
)
ZSH = (
    ["zsh", "--no-rcs", "-i"],
    f"fpath=('{FILES}/zsh' $fpath); autoload -Uz compinit; compinit -u -D; bindkey -e; PS1=;"
    " echo re''ady\n",
)
#: put before the line in the end, this tells what words it has
TELL = "\x01printf '[%s]' \n"


class Shell:
    """One at a terminal, as a person has it."""

    def __init__(self, words: list[str], set_up: str, display_name: str) -> None:
        self._terminal, other = pty.openpty()
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            words,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**os.environ, "DISPLAY": display_name, "PATH": programs, "TERM": "dumb"},
        )
        os.close(other)
        self.type(set_up)
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
def bash(display_name: str) -> Iterator[Shell]:
    shell = Shell(*BASH, display_name)
    yield shell
    shell.close()


@pytest.fixture
def zsh(display_name: str) -> Iterator[Shell]:
    shell = Shell(*ZSH, display_name)
    yield shell
    shell.close()


@pytest.mark.parametrize("typed", ["", "Xv", "Xvfb\\ ", "'Xvfb m", '"X'])
def test_a_tab_completes_a_name(bash: Shell, typed: str) -> None:
    bash.type(f"xenabs accel off --device {typed}\t")
    bash.until("mouse")
    bash.type(TELL)
    bash.until("[xenabs][accel][off][--device][Xvfb mouse]")


@pytest.mark.parametrize("typed", ["", "Xv", "'Xvfb m"])
def test_a_tab_completes_a_name_behind_an_equals_sign(bash: Shell, typed: str) -> None:
    bash.type(f"xenabs accel off --device={typed}\t")
    bash.until("mouse")
    bash.type(TELL)
    bash.until("[xenabs][accel][off][--device=Xvfb mouse]")


def test_a_tab_completes_commands(bash: Shell) -> None:
    bash.type(f"xenabs acc\ttog\t--al\t{TELL}")
    bash.until("[xenabs][accel][toggle][--all]")


def test_the_first_tab_and_the_next_complete_a_name_in_zsh(zsh: Shell) -> None:
    for _ in range(2):
        zsh.type("xenabs accel off --device Xv\t")
        zsh.until("mouse")
        zsh.type(TELL)
        zsh.until("[xenabs][accel][off][--device][Xvfb mouse]")


def test_a_tab_in_zsh_leaves_an_option_in_one_word_as_it_is(zsh: Shell) -> None:
    zsh.type(f"xenabs accel off --device=Xv\t{TELL}")
    zsh.until("[xenabs][accel][off][--device=Xv]")


def test_fish_completes_a_name(display_name: str) -> None:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = subprocess.run(
        ["fish", "--no-config", "--init-command", f"source '{FILES}/fish/xenabs.fish'"],
        input="complete -C 'xenabs accel off --device Xv'",
        env={**os.environ, "DISPLAY": display_name, "PATH": programs},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    (offered,) = said.splitlines()
    assert offered.partition("\t")[0] == "Xvfb mouse"  # behind it is the driver
