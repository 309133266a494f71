"""make soak: SOAK_MINUTES minutes, on a guest of the kind SOAK_GUEST, with the seed SOAK_SEED.

SOAK_SUITE is the guest's Debian ("trixie-backports" has Linux 7), bookworm without it.

SOAK_STEP names the one kind of step that there is to be ("save, restore").
"""

from __future__ import annotations

import os
import random
import sys

from campaign.run import Failed, run
from campaign.stage import MEMORY, SIZE
from campaign.steps import DECK, STEPS
from testbed import Bed, Wanted


def main() -> None:
    """One campaign: the table on stdout, or what went wrong and exit code 1."""
    minutes = float(os.environ.get("SOAK_MINUTES") or 10)
    kind = os.environ.get("SOAK_GUEST") or "pv"
    suite = os.environ.get("SOAK_SUITE") or Wanted().suite
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1 << 32))
    step = os.environ.get("SOAK_STEP")
    if step and step not in STEPS:
        sys.exit(f"SOAK_STEP is {step!r}; there are: {'; '.join(STEPS)}")
    print(f"seed {seed}: {minutes:g} minutes on a {kind.upper()} guest of {suite}", flush=True)
    wanted = Wanted(kind=kind, size=SIZE, init="systemd", memory=MEMORY, suite=suite)
    with Bed() as bed:
        guest = bed.start_guest(wanted)
        try:
            print(run(bed, guest, seed, minutes, {step: 1} if step else DECK).table())
        except Failed as failure:
            sys.exit(str(failure))


if __name__ == "__main__":
    main()
