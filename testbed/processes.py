"""The host's side of the process probe: xenabs' processes in a guest, killed and looked at."""

from __future__ import annotations

from typing import Any

from testbed.bed import Guest
from testbed.conversation import Conversation
from testbed.errors import BedError

#: seconds for an answer: more than the probe itself takes for anything
ANSWER = 300


class Processes(Conversation):
    """A probe that runs in a guest until `close` or a save; see testbed/guest/process_probe.py."""

    def __init__(self, guest: Guest) -> None:
        super().__init__(guest, "process_probe.py", patience=ANSWER)

    def close(self) -> None:
        """End the probe, without waiting for an answer that is under way."""
        self._process.kill()
        super().close()

    def begin_kill(
        self, *who: str, signal: str = "KILL", after: float = 0, gone: list[int] | None = None
    ) -> None:
        """Kill a "daemon", a "guardian" or both, so many seconds after they are there."""
        self._put("kill", who=who, signal=signal, after=after, gone=gone or [])

    def killed(self) -> list[int]:
        """Those that `begin_kill` meant, once they have ended."""
        facts = self._answer()
        if not facts["pids"]:
            raise BedError("There was nobody to kill.", {"processes": str(facts["there"])})
        pids: list[int] = facts["pids"]
        return pids

    def settle(self, gone: list[int] | None = None) -> None:
        """Wait until one daemon and one guardian, none of those gone, are connected."""
        facts = self._ask("settle", gone=gone or [])
        if not facts["settled"]:
            raise BedError(
                "There are not one daemon and one guardian, connected.",
                {"processes": str(facts["there"])},
            )

    def look(self) -> dict[str, Any]:
        """How xenabs fares; the keys are those of `look` in the probe."""
        return self._ask("look")
