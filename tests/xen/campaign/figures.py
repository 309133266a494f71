"""What a campaign has seen, counted."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tabulate import tabulate

COUNTED = ("entries", "positions", "keys", "merged", "alone", "ignored", "refused", "overruns")
"""Counters of `xenabs status`; one line each."""


@dataclass
class Figures:
    """Counts of one campaign."""

    started: float = field(default_factory=time.monotonic)
    steps: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    restores: int = 0
    attachments: int = 0
    backends: int = 0
    positions: int = 0
    wrong: int = 0
    clicks: int = 0
    keys: int = 0
    waits: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from an event ("a restore") to the first exact pointer."""
    memory: dict[str, list[int]] = field(default_factory=dict)
    """KiB by kind of process: least and most."""
    _counters: dict[int, dict[str, int]] = field(default_factory=dict)

    def saw_daemon(self, status: dict[str, Any]) -> None:
        """Counters die with their daemon: what it said last counts."""
        self._counters[status["pid"]] = status["counters"]

    def saw_memory(self, kind: str, kibibytes: int) -> None:
        """Remember the least and the most."""
        low, high = self.memory.get(kind, (kibibytes, kibibytes))
        self.memory[kind] = [min(low, kibibytes), max(high, kibibytes)]

    def table(self) -> str:
        """All of it, for people."""
        minutes = (time.monotonic() - self.started) / 60
        events = {
            name: sum(counters.get(name, 0) for counters in self._counters.values())
            for name in COUNTED
        }
        rows: list[tuple[str, object]] = [
            ("minutes", f"{minutes:.1f}"),
            ("steps", self.steps.total()),
            *((f"steps: {name}", count) for name, count in sorted(self.steps.items())),
            ("kill -9", self.kills.total()),
            *((f"kill -9: {name}", count) for name, count in sorted(self.kills.items())),
            ("restores", self.restores),
            ("re-attachments", self.attachments),
            ("device models killed", self.backends),
            ("ring entries, as xenabs status has counted", events.pop("entries")),
            *((f"ring entries: {name}", count) for name, count in events.items()),
            ("button and wheel events checked", self.clicks),
            ("key events checked", self.keys),
            ("positions checked", self.positions),
            ("positions wrong", self.wrong),
            *(
                (
                    f"from {event} to the first exact pointer",
                    f"median {median(waits):.1f} s, worst {max(waits):.1f} s",
                )
                for event, waits in sorted(self.waits.items())
            ),
            *(
                (f"memory of the {kind} (KiB)", f"{a} to {b}")
                for kind, (a, b) in self.memory.items()
            ),
        ]
        return tabulate(rows, disable_numparse=True, colalign=("left", "right"))
