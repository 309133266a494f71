"""What is said where it cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("map", "--help")])
def test_a_full_disk_gets_a_sentence(words: tuple[str, ...], unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", "from xenabs.cli import main; main()", *words],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    said = "xenabs: cannot write what it has to say: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, said)
