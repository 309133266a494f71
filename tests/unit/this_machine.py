"""This machine in the place of a guest, with a directory of programs."""

from collections.abc import Sequence
from pathlib import Path

from testbed.payload import PROGRAMS_IN_GUEST
from testbed.remote import Machine


class ThisMachine(Machine):
    """What is run is run here, not over ssh."""

    def __init__(self, programs: Path) -> None:
        super().__init__("this machine", 0, programs, programs)
        self._programs = programs

    def connect(self, timeout: float = 30) -> None: ...

    def command(self, argv: Sequence[str]) -> list[str]:
        return [word.replace(PROGRAMS_IN_GUEST, str(self._programs)) for word in argv]
