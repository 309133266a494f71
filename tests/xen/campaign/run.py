"""A campaign: one step after the other, each looked at, until the time is over."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from campaign.figures import Figures
from campaign.sending import Wrong
from campaign.stage import Stage
from campaign.steps import DECK, STEPS
from testbed import Bed, BedError, Guest
from testbed.errors import last_lines

WORDS = {
    "xenabs": ["tail", "-n", "40", "/run/xenabs.log"],
    "the journal": [
        "journalctl",
        "-q",
        "--no-pager",
        "-o",
        "short-precise",
        "-n",
        "60",
        "-u",
        "xenabs*",
    ],
}
"""What the guest says of itself when a step has failed."""


class Failed(Exception):
    """A step has seen what it may not see: the seed, the steps so far, and what it was."""


def run(
    bed: Bed, guest: Guest, seed: int, minutes: float, deck: Mapping[str, int] = DECK
) -> Figures:
    """Go on for so many minutes, with the steps of `deck`. Raises Failed."""
    done = ["the guest as it has booted"]
    with Stage(bed, guest) as stage:
        deadline = time.monotonic() + 60 * minutes
        try:
            stage.look(random.Random(seed))
            for number, name in enumerate(sequence(seed, deck), 1):
                if time.monotonic() > deadline:
                    break
                done.append(name)
                began = time.monotonic()
                # One of its own, so that what a step draws does not change the next one.
                chance = random.Random(f"{seed} {number}")
                STEPS[name](stage, chance)
                stage.look(chance)
                stage.figures.steps[name] += 1
                took = time.monotonic() - began
                print(f"{number:4} {name}: {took:.1f} s", file=sys.stderr, flush=True)
        except (Wrong, BedError, OSError, EOFError, subprocess.TimeoutExpired) as error:
            raise Failed(_story(guest, stage.figures, seed, done, error)) from error
        return stage.figures


def sequence(seed: int, deck: Mapping[str, int]) -> Iterator[str]:
    """Names of steps without end: each as often as `deck` has it, then all of it again."""
    chance = random.Random(seed)
    while True:
        names = [name for name, count in deck.items() for _ in range(count)]
        chance.shuffle(names)
        yield from names


def _story(guest: Guest, figures: Figures, seed: int, done: list[str], error: Exception) -> str:
    number = len(done) - 1
    story = [f"Seed {seed}, step {number} ({done[number]}): {error}", "steps so far:"]
    story += [f"  {number:3} {name}" for number, name in enumerate(done)]
    for whose, command in WORDS.items():
        try:
            text = last_lines(guest.run(command, check=False).stdout, 60)
        except (BedError, subprocess.TimeoutExpired) as silence:
            text = str(silence)
        story.append(f"--- {whose} ---\n{text}")
    return "\n".join([*story, figures.table()])
