"""What a running daemon leaves in /run/xenabs for others: who has a device, and how it fares.

vkbd-0.lock                     locked by the daemon, with its process id; root's
vkbd-0.json                     who has the device and both ends' states; for everyone to read
private/counters/vkbd-0.json    the counters; root's. They change with each key, so that even
                                their size and time would tell other users when somebody types
"""

import contextlib
import fcntl
import functools
import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xenabs.errors import XenabsError

log = logging.getLogger(__name__)

RUN = Path("/run/xenabs")
LOCKS = Path("/proc/locks")

PUBLIC, PRIVATE = 0o644, 0o600
"""Permissions of files; directories have them with the right to search added."""

COUNTERS = "counters"
"""The key of a state that only root sees; None for others."""


class DeviceLock:
    """The right to be a device's frontend, held until the process ends."""

    def __init__(self, device: str, run: Path = RUN) -> None:
        self._device = device
        self._path = run / f"{device}.lock"
        self._fd = -1

    def take(self, patience: float = 0.0) -> None:
        """Take it, waiting `patience` seconds for its holder to go.

        Raises XenabsError that names the holder, the missing right, or what is wrong with /run.
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
        # For people only: a full /run has room for an empty file, not for what is in it.
        with contextlib.suppress(OSError):
            os.truncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let another process take it."""
        os.close(self._fd)
        self._fd = -1

    def holder(self) -> int | None:
        """Return the process that has the device, None if none has.

        The kernel says so (/proc/locks, see proc_locks(5)): every user may ask, and the answer is
        never the number of a process that has ended.
        """
        try:
            file = self._path.stat()
        except FileNotFoundError:
            return None
        for line in LOCKS.read_text().splitlines():
            # "1: FLOCK  ADVISORY  WRITE 709 00:17:2046 0 EOF"; "->" after the number: it waits.
            _, kind, _, access, pid, inode, *_ = line.split()
            if (kind, access) == ("FLOCK", "WRITE") and _names(inode, file):
                return int(pid)
        return None

    def signal_holder(self, number: signal.Signals) -> None:
        """Send a signal to the process that has the device, if one has; to no other.

        Raises XenabsError without the right.
        """
        with contextlib.suppress(ProcessLookupError):
            while (pid := self.holder()) is not None:
                process = os.pidfd_open(pid)
                try:
                    # Still the holder, it is the one that the descriptor stands for.
                    if self.holder() == pid:
                        signal.pidfd_send_signal(process, number)
                        return
                except PermissionError as error:
                    raise XenabsError(
                        f"{self._device} belongs to process {pid} of another user: run xenabs as "
                        "root"
                    ) from error
                finally:
                    os.close(process)


def write_state(device: str, state: Mapping[str, Any], run: Path = RUN) -> None:
    """Replace the device's state for everyone, never seen half written.

    A file that cannot be written is logged once: it is not worth the service.
    """
    _replace(run / f"{device}.json", state, PUBLIC)


def write_counters(device: str, counters: Mapping[str, int], run: Path = RUN) -> None:
    """Replace the device's counters, for root only, as `write_state` does."""
    _replace(_counters(device, run), counters, PRIVATE)


def read_state(device: str, run: Path = RUN) -> dict[str, Any] | None:
    """Return what the device's daemon wrote last, None if there is none or it makes no sense.

    Its counters are None where this user may not see them.
    """
    state = _read(run / f"{device}.json")
    return None if state is None else {**state, COUNTERS: _read(_counters(device, run))}


def remove_state(device: str, run: Path = RUN) -> None:
    """Remove the state of a daemon that ends, as far as that is possible."""
    for path in (run / f"{device}.json", _counters(device, run)):
        with contextlib.suppress(OSError):
            path.unlink()


def _counters(device: str, run: Path) -> Path:
    # Two levels: what is replaced in a directory shows in the directory's own time.
    return run / "private" / "counters" / f"{device}.json"


def _replace(path: Path, content: Mapping[str, Any], mode: int) -> None:
    new = path.with_suffix(".new")
    try:
        if mode == PRIVATE:
            path.parent.parent.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(fd, "w") as file:
            # The service's umask may be stricter than what everyone is to read.
            os.fchmod(fd, mode)
            file.write(json.dumps(content, indent=2) + "\n")
        new.replace(path)
    except OSError as error:
        _say_once(f"{path} cannot be written ({error.strerror}): xenabs status is out of date")


@functools.cache
def _say_once(sentence: str) -> None:
    log.warning(sentence)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, PermissionError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _open(path: Path) -> int:
    try:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir()
            path.parent.chmod(0o755)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
        # Former versions let everyone open it, and who can open it can lock it.
        os.fchmod(fd, PRIVATE)
        return fd
    except PermissionError as error:
        raise XenabsError(f"{path} cannot be written: run xenabs as root") from error
    except OSError as error:
        raise XenabsError(
            f"{path} cannot be made ({error.strerror}): xenabs needs it to be the only one that "
            f"has the device; see that {path.parent} can be written to and has room (df -i)"
        ) from error


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _names(text: str, file: os.stat_result) -> bool:
    """Return whether "MAJOR:MINOR:INODE", hexadecimal but for the last, means that file."""
    major, minor, inode = text.split(":")
    return (os.makedev(int(major, 16), int(minor, 16)), int(inode)) == (file.st_dev, file.st_ino)
