"""What the test bed follows: a command that says lines, until nobody follows it any more."""

import time
from pathlib import Path

import pytest
from this_machine import ThisMachine

from testbed.errors import BedError
from testbed.outer import LineReader


def test_a_command_ends_with_its_with_statement(tmp_path: Path) -> None:
    with ThisMachine(tmp_path).follow(["sh", "-c", "echo $$; exec sleep 60"]) as process:
        pid = LineReader.of(process).next(time.monotonic() + 20)
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_line_that_does_not_come_is_told_with_those_that_came(tmp_path: Path) -> None:
    with ThisMachine(tmp_path).follow(["printf", "one\ntwo\nthree\n"]) as process:
        lines = LineReader.of(process)
        lines.until("wo", 20)
        with pytest.raises(BedError, match=r"'four'.*\n.*\nthree$"):
            lines.until("four", 20)
