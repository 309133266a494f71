"""A conversation of the test bed, with a program of this machine for one of a guest's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from this_machine import ThisMachine

from testbed.conversation import Conversation
from testbed.errors import BedError
from testbed.payload import PROGRAMS

PROGRAM = """
import os, pathlib, sys
from conversation import serve
serve(sum=lambda numbers: {"sum": sum(numbers)}, leave=lambda: os._exit(1))
pathlib.Path(sys.argv[1]).touch()
"""


class Sums(Conversation):
    def ask(self, *numbers: int) -> None:
        self._put("sum", numbers=numbers)

    def told(self) -> int:
        return int(self._answer()["sum"])

    def leave(self) -> None:
        self._ask("leave")


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """A file that the program makes at its end."""
    return tmp_path / "ended"


@pytest.fixture
def sums(tmp_path: Path, ended: Path) -> Iterator[Sums]:
    (tmp_path / "sums.py").write_text(PROGRAM)
    (tmp_path / "conversation.py").symlink_to(PROGRAMS / "conversation.py")
    with Sums(ThisMachine(tmp_path), "sums.py", str(ended), patience=20) as conversation:
        yield conversation


def test_answers_come_in_the_order_of_the_questions(sums: Sums) -> None:
    sums.ask(1, 2)
    sums.ask(3, 4, 5)
    assert (sums.told(), sums.told()) == (3, 12)


def test_a_program_that_ended_is_named(sums: Sums) -> None:
    with pytest.raises(BedError, match=r"sums\.py"):
        sums.leave()


def test_the_program_has_ended_when_it_is_closed(sums: Sums, ended: Path) -> None:
    sums.ask(1)
    assert sums.told() == 1
    assert not ended.exists()
    sums.close()
    assert ended.exists()
