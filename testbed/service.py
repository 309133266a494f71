"""xenabs as a process in the guest: run by hand, waited for, ended in various ways; its unit."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from testbed.bed import Guest
from testbed.errors import BedError
from testbed.outer import LineReader

#: what systemd calls the daemon of the only vkbd
UNIT = "xenabs@vkbd-0.service"
#: seconds for a handshake, and for an end: it hangs, if these are not enough on the busiest host
PATIENCE = 180
#: xenabs' processes: where in the kernel each waits, what was said
HANGING = """
for pid in $(pgrep -f xenabs); do
    echo "$pid $(tr '\\0' ' ' </proc/$pid/cmdline): $(cat /proc/$pid/wchan)"
done
head -n 99 /run/xenabs/*.lock /run/xenabs.log
dmesg | tail
"""


class Service:
    """One `xenabs run` in the guest. It lives on when this object goes."""

    def __init__(self, guest: Guest, *arguments: str) -> None:
        """Start it and wait until it is connected; BedError with its words if it ends first."""
        self._process = guest.popen(
            ["xenabs", "run", *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        try:
            LineReader.of(self._process).until("connected to", PATIENCE)
        except BedError as error:
            there = guest.run(["sh", "-c", HANGING], check=False).stdout
            raise BedError(error.sentence, {**error.evidence, "the guest": there}) from None

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait(PATIENCE)


def status(guest: Guest, device: str = "vkbd-0") -> dict[str, Any]:
    """What `xenabs status --json` says of a vkbd."""
    states: list[dict[str, Any]] = json.loads(guest.run(["xenabs", "status", "--json"]).stdout)
    (state,) = (state for state in states if state["device"] == device)
    return state


def signal(guest: Guest, name: str) -> None:
    """Send a signal ("TERM") to the daemon of vkbd-0, which its lock names."""
    guest.run(["sh", "-c", f"kill -{name} $(cat /run/xenabs/vkbd-0.lock)"])
