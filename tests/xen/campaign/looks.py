"""What must be true after each step, whatever it was."""

from __future__ import annotations

from typing import Any

from pointing import HARM

from campaign.sending import Wrong, expect

MEMORY = 512
"""KiB by which a process may outgrow the first of its kind: Python and malloc take memory in arenas
of 256 KiB and keep what is free in them. Daemons were seen to differ by 170, guardians by 90."""

NOBODY = {"buttons": 0, "keys": []}
EVENT_CHANNEL = "evtchn"


class Looks:
    """Compares with how the first look at each kind of process was."""

    def __init__(self) -> None:
        self._first: dict[str, dict[str, Any]] = {}

    def check(self, facts: dict[str, Any], pressed: dict[str, Any], restores: int) -> None:
        """Raise Wrong if the guest is not as it was; `facts` are the process probe's."""
        expect("what X has for down", pressed, NOBODY)
        expect("what is down of the devices", [*facts["down"].values()], [[], []])
        expect("states of frontend and backend", facts["ends"], [4, 4])
        expect("the kernel's complaints", [x for x in facts["kernel"] if HARM.search(x)], [])
        for kind in ("daemon", "guardian"):
            expect(f"number of {kind}s", len(facts[kind]), 1)
            (process,) = facts[kind]
            first = self._first.setdefault(kind, process)
            wanted = dict(first["descriptors"])
            if kind == "guardian":
                wanted[EVENT_CHANNEL] += restores
            expect(f"descriptors of the {kind}", process["descriptors"], wanted)
            if process["memory"] > first["memory"] + MEMORY:
                raise Wrong(
                    f"memory of the {kind} (KiB): {first['memory']} at first, now "
                    f"{process['memory']}"
                )
