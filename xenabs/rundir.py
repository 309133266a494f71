"""What a running daemon leaves in /run/xenabs for others: who has a device, and how it fares."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xenabs.errors import XenabsError

RUN = Path("/run/xenabs")


class DeviceLock:
    """The right to be a device's frontend, held until the process ends."""

    def __init__(self, device: str, run: Path = RUN) -> None:
        self._device = device
        self._path = run / f"{device}.lock"
        self._fd = -1

    def take(self, patience: float = 0.0) -> None:
        """Take it, waiting `patience` seconds for its holder to go.

        Raises XenabsError that names the holder, or the missing right.
        """
        fd = _open(self._path)
        deadline = time.monotonic() + patience
        while not _locked(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                raise XenabsError(
                    f"{self._device} belongs to the running xenabs with process id "
                    f"{self.holder()}: end that one first (xenabs release {self._device})"
                )
            # flock has no deadline of its own, and nothing else tells of its end.
            time.sleep(0.02)
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def holder(self) -> int | None:
        """The process that has the device, None if nobody has."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _locked(fd):
                return None
            text = os.read(fd, 32).strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(fd)


def write_state(device: str, state: Mapping[str, Any], run: Path = RUN) -> None:
    """Replace the device's state file, never seen half written."""
    path = run / f"{device}.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(state, indent=2) + "\n")
    new.replace(path)


def read_state(device: str, run: Path = RUN) -> dict[str, Any] | None:
    """What the device's daemon wrote last, None if there is none or it makes no sense."""
    try:
        state = json.loads((run / f"{device}.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def remove_state(device: str, run: Path = RUN) -> None:
    """The daemon is gone: so is its state."""
    (run / f"{device}.json").unlink(missing_ok=True)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError as error:
        raise XenabsError(f"{path} cannot be written: run xenabs as root") from error


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
