"""The host's side of a conversation with a program in the guest; see guest/conversation.py."""

from __future__ import annotations

import json
import time
from typing import Any

from testbed.closing import Closing
from testbed.errors import BedError
from testbed.outer import LineReader
from testbed.payload import PROGRAMS_IN_GUEST
from testbed.remote import Machine


class Conversation(Closing):
    """A program of testbed/guest that runs until `close`, and has an answer to each question.

    ``patience`` is how many seconds an answer may take.
    """

    def __init__(self, there: Machine, program: str, *arguments: str, patience: float) -> None:
        self._program = program
        self._patience = patience
        self._process = there.popen(["python3", f"{PROGRAMS_IN_GUEST}/{program}", *arguments])
        self._lines = LineReader.of(self._process)
        self._answer()

    def close(self) -> None:
        """End the program; return when it has ended."""
        with self._process:  # closes its stdin, and waits until it has ended, and ssh with it
            pass

    def _put(self, what: str, **more: Any) -> None:
        """Put a question; the answer is for `_answer` to take."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ask": what, **more}).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        """The answer to the first question that has none yet."""
        try:
            line = self._lines.next(time.monotonic() + self._patience)
        except TimeoutError:
            line = None
        if line is None:
            raise BedError(f"{self._program} in the guest does not answer.")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        """Put a question; the answer to it."""
        self._put(what, **more)
        return self._answer()
