"""A guest with systemd, and all that acts on it and looks at it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from pointing import misplaced

from campaign.figures import Figures
from campaign.looks import Looks
from campaign.sending import Sent, Stirring, Wrong, expect
from testbed import Bed, Guest
from testbed.closing import Closing
from testbed.probe import Pointer
from testbed.processes import Processes
from testbed.rfb import Rfb
from testbed.service import UNIT

SIZE = (1280, 800)
MEMORY = 384
"""MiB of the guest: all of it is written to a file at each save."""

POINTS = 3
"""Looked at after each step."""

FOLLOWED = 120
"""Seconds after which the pointer must have found to a new VNC server."""


class Stage(Closing):
    """What steps are made of, and what was seen so far."""

    def __init__(self, bed: Bed, guest: Guest) -> None:
        self.bed, self.guest = bed, guest
        self.figures = Figures()
        self.vnc: Rfb = bed.vnc()
        self.pointer = Pointer(guest, self.vnc)
        self.inside = Processes(guest)
        self._looks = Looks()
        self.pointer.open_window()

    def close(self) -> None:
        """End what looks at the guest; the guest stays."""
        for each in (self.inside, self.pointer, self.vnc):
            each.close()

    def sent(self, chance: random.Random) -> Sent:
        """Input that is to arrive; what the window got until now is another step's."""
        self.pointer.fence()
        self.pointer.keys_do_not_repeat()
        expect("events that nobody asked for", self.pointer.events(), [])
        return Sent(self.pointer, self.vnc, chance)

    def arrived(self, sent: Sent) -> None:
        """All of it has come through."""
        sent.check()
        self.figures.clicks += len(sent.clicks)
        self.figures.keys += len(sent.keys)

    def stirring(self, chance: random.Random, mask: int = 0) -> Stirring:
        """Motion until the end of the block."""
        return Stirring(self.vnc, chance, mask)

    def kill(self, *who: str) -> list[int]:
        """Take in the end of those that `inside.begin_kill` meant."""
        self.figures.kills[" and ".join(who)] += 1
        return self.inside.killed()

    def systemctl(self, *words: str, after: Sequence[str] = ()) -> None:
        """With the daemon's unit, and words after its name."""
        self.guest.run(["systemctl", *words, UNIT, *after])

    def points(self, chance: random.Random, count: int) -> None:
        """The pointer goes where the VNC client says."""
        width, height = self.pointer.screen
        points = [(chance.randrange(width), chance.randrange(height)) for _ in range(count)]
        wrong = misplaced(self.pointer, points)
        self.figures.positions += count
        self.figures.wrong += len(wrong)
        expect("misplaced points", wrong, {})

    def follow(self, chance: random.Random, event: str) -> None:
        """After an event the guest has a new VNC server: how long until the pointer is exact."""
        began = time.monotonic()
        self.vnc.close()
        self.vnc = self.bed.vnc()
        self.pointer.follow(self.vnc)
        width, height = self.pointer.screen
        place = self.pointer.position
        while place == self.pointer.position:
            place = chance.randrange(width), chance.randrange(height)
        assert place is not None
        while not self.pointer.reaches(*place, 0.1):
            if time.monotonic() > began + FOLLOWED:
                raise Wrong(f"{FOLLOWED} s after the guest went on its pointer does not move")
        self.figures.waits.setdefault(event, []).append(time.monotonic() - began)

    def look(self, chance: random.Random) -> None:
        """Whatever was done, the guest is as it was."""
        self.inside.settle()
        self.points(chance, POINTS)
        self.pointer.fence()
        facts = self.inside.look()
        self.figures.saw_daemon(facts["status"])
        for kind in ("daemon", "guardian"):
            for process in facts[kind]:
                self.figures.saw_memory(kind, process["memory"])
        self._looks.check(facts, self.pointer.pressed(), self.figures.restores)
