"""The host's side of the process probe: xenabs' processes in a guest, killed and looked at."""

from __future__ import annotations

import json
import time
from typing import Any

from testbed.bed import Guest
from testbed.closing import Closing
from testbed.errors import BedError
from testbed.outer import LineReader
from testbed.payload import PROGRAMS_IN_GUEST

#: seconds for an answer: more than the probe itself takes for anything
ANSWER = 300


class Processes(Closing):
    """A probe that runs in a guest until `close` or a save; see testbed/guest/process_probe.py."""

    def __init__(self, guest: Guest) -> None:
        self._process = guest.popen(["python3", f"{PROGRAMS_IN_GUEST}/process_probe.py"])
        assert self._process.stdout is not None
        self._reader = LineReader(self._process.stdout.fileno())
        self.answer()

    def close(self) -> None:
        """End the probe."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def ask(self, what: str, **more: Any) -> None:
        """Put a question; the answer is for `answer` to take."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ask": what, **more}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The answer to the first question that has none yet."""
        try:
            line = self._reader.next(time.monotonic() + ANSWER)
        except TimeoutError:
            line = None
        if line is None:
            raise BedError("The process probe in the guest does not answer.")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def begin_kill(
        self, *who: str, signal: str = "KILL", after: float = 0, gone: list[int] | None = None
    ) -> None:
        """Kill a "daemon", a "guardian" or both, so many seconds after they are there."""
        self.ask("kill", who=who, signal=signal, after=after, gone=gone or [])

    def killed(self) -> list[int]:
        """Those that `begin_kill` meant, once they have ended."""
        facts = self.answer()
        if not facts["pids"]:
            raise BedError("There was nobody to kill.", {"processes": str(facts["there"])})
        pids: list[int] = facts["pids"]
        return pids

    def settle(self, gone: list[int] | None = None) -> None:
        """Wait until one daemon and one guardian, none of those gone, are connected."""
        self.ask("settle", gone=gone or [])
        facts = self.answer()
        if not facts["settled"]:
            raise BedError(
                "There are not one daemon and one guardian, connected.",
                {"processes": str(facts["there"])},
            )

    def look(self) -> dict[str, Any]:
        """How xenabs fares; the keys are those of `look` in the probe."""
        self.ask("look")
        return self.answer()
