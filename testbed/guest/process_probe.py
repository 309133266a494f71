"""Runs in the guest: kills xenabs' processes at a given moment, and looks at how xenabs fares.

What can be asked (see conversation.py):

    {"ask": "kill", "who": [KIND...], "signal": NAME, "after": S, "gone": [PID...]}
            waits for a process of each kind that is not gone yet, a daemon also to take its
            device, then S seconds, and sends the signal; answered with "pids" once they have ended
    {"ask": "settle", "gone": [PID...]}
            answered once one daemon and one guardian, none of them gone, are connected; with
            "settled" false if that takes too long
    {"ask": "look"}
            answered with all there is to know: see `look`

A KIND is "daemon" or "guardian". The end of stdin ends the program.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from signal import Signals, pidfd_send_signal
from typing import Any

import evdev
from conversation import serve

from xenabs import status
from xenabs.rundir import RUN
from xenabs.xen import bus
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

#: seconds for a process to appear, to end, and to connect, on a busy host
PATIENCE = 120
CONNECTED = "Connected"


def processes() -> dict[str, list[int]]:
    """The process numbers of daemons and guardians."""
    found: dict[str, list[int]] = {"daemon": [], "guardian": []}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            words = (directory / "cmdline").read_bytes().split(b"\0")
            if words[0] == b"@xenabs-guardian":
                found["guardian"].append(int(directory.name))
            elif words[1:3] == [b"/usr/bin/xenabs", b"run"]:
                found["daemon"].append(int(directory.name))
    return found


def has_device() -> int:
    """The daemon that took the device last."""
    (device,) = bus.devices()
    return int((RUN / f"{device.name}.lock").read_text() or 0)


def kill(who: list[str], signal: str, after: float, gone: list[int]) -> dict[str, Any]:
    """Send a signal to a process of each kind; return when they have ended."""
    number = Signals["SIG" + signal]
    deadline = time.monotonic() + PATIENCE
    while True:
        there = processes()
        pids = [pid for kind in who for pid in there[kind] if pid not in gone]
        if len(pids) == len(who) and ("daemon" not in who or has_device() in pids):
            break
        if time.monotonic() > deadline:
            return {"pids": [], "there": there}
        time.sleep(0.01)  # nothing tells of a process that begins
    handles = [os.pidfd_open(pid) for pid in pids]
    time.sleep(after)
    for handle in handles:
        with suppress(ProcessLookupError):
            pidfd_send_signal(handle, number)
    for handle in handles:
        select.select([handle], [], [], PATIENCE)
        os.close(handle)
    return {"pids": pids}


def settle(gone: list[int]) -> dict[str, Any]:
    """Wait for one daemon and one guardian, connected."""
    deadline = time.monotonic() + PATIENCE
    there: dict[str, list[int]] = {}
    while time.monotonic() < deadline:
        there = processes()
        if all(len(pids) == 1 and pids[0] not in gone for pids in there.values()):
            (state,) = status.known()
            ends = [state.get(end, {}).get("state") for end in ("frontend", "backend")]
            if state.get("pid") == there["daemon"][0] and ends == [CONNECTED] * 2:
                return {"settled": True}
        time.sleep(0.5)  # two processes and a file: nothing tells of all three
    return {"settled": False, "there": there}


def descriptors(pid: int) -> dict[str, int]:
    """How many descriptors of which kind a process has, but for those of a moment."""
    before: dict[str, int] | None = None
    while True:
        found: Counter[str] = Counter()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                # "socket:[123]", and "/dev/uinput" is "/uinput" where /dev was mounted privately.
                found[re.sub(r":\[.*", "", os.readlink(link)).rpartition("/")[2]] += 1
        if found == before:
            return found
        before = found


def resident(pid: int) -> int:
    """Its own resident memory, in KiB: what it shares with other processes is not its doing."""
    (line,) = re.findall(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(line)


def down() -> dict[str, list[int]]:
    """What is down of each of xenabs' devices, as the kernel has it."""
    found = {}
    for path in evdev.list_devices():
        with closing(evdev.InputDevice(path)) as device:
            if device.name.startswith("xenabs "):
                found[device.name] = device.active_keys()
    return found


class KernelLog:
    """What the kernel says, from the beginning or from what `dmesg --clear` has cleared."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._fd, 0, os.SEEK_DATA)

    def news(self) -> list[str]:
        """The lines since the last call."""
        lines = []
        with suppress(BlockingIOError):
            while True:
                lines.append(os.read(self._fd, 8192).decode(errors="replace").rstrip())
        return lines


def look(log: KernelLog, store: Store) -> dict[str, Any]:
    """Processes, what is down, both ends' states, the kernel's news, what `xenabs status` says."""
    facts: dict[str, Any] = {
        kind: [
            {"pid": pid, "memory": resident(pid), "descriptors": descriptors(pid)} for pid in pids
        ]
        for kind, pids in processes().items()
    }
    (device,) = bus.devices()
    frontend = Frontend(store, device.path)
    return {
        **facts,
        "down": down(),
        "ends": [frontend.state().value, frontend.backend_state().value],
        "kernel": log.news(),
        "status": status.known()[0],
    }


def main() -> None:
    """Answer the host."""
    serve(kill=kill, settle=settle, look=partial(look, KernelLog(), Store()))


if __name__ == "__main__":
    main()
