"""The switch `drivers_autoprobe` of the bus xen, off for a moment, and on again whoever dies when.

While it is off the kernel binds no driver to a device that appears. It is off only while a process
holds a lock on the file MARK. Who finds that file without a lock on it has found what a process
left that was killed: `restore` turns the switch on then. Daemon, guardian, `xenabs release` and
`xenabs recover` call it when they start, and a guardian also when its daemon dies.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.rundir import RUN

MARK = "autoprobe-off"
"""The name of the file below /run/xenabs."""

PATIENCE = 20.0
"""Seconds given to another process that has the switch off; it takes a fraction of a second."""


@contextlib.contextmanager
def off(bus: Path) -> Iterator[None]:
    """Keep the kernel from binding drivers to devices that appear on `bus` meanwhile.

    Waits for another process that does so. A switch that is off already stays off. At the end the
    kernel is asked for a driver for each device, other than a vkbd, that has none. Raises
    XenabsError if the mark cannot be made, OSError if the kernel refuses.
    """
    restore(bus)
    with _held(PATIENCE) as held:
        if not held:
            raise XenabsError(
                f"another process has kept drivers_autoprobe off for {PATIENCE:.0f} s: see who has "
                f"{RUN / MARK} open, and stop it"
            )
        was_on = _read(bus)
        if was_on:
            _write(bus, on=False)
        try:
            yield
        finally:
            if was_on:
                _turn_on(bus)
            _remove_mark()


def restore(bus: Path) -> None:
    """Turn the switch on if a process that was killed left it off."""
    if not (RUN / MARK).exists():
        return
    with _held(0) as held:
        if held:
            _turn_on(bus)
            _remove_mark()


@contextlib.contextmanager
def _held(patience: float) -> Iterator[bool]:
    """Hold the mark; False if another process still has it after `patience` seconds."""
    deadline = time.monotonic() + patience
    while (fd := _hold()) is None:
        if time.monotonic() >= deadline:
            yield False
            return
        # flock has no deadline of its own.
        time.sleep(0.02)
    try:
        yield True
    finally:
        os.close(fd)


def _hold() -> int | None:
    """Return a locked descriptor of the mark, None if another process has it."""
    while True:
        try:
            RUN.mkdir(mode=0o755, exist_ok=True)
            fd = os.open(RUN / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise XenabsError(
                f"{RUN / MARK} cannot be made ({error.strerror}): run xenabs as root, and free "
                "some room in /run"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        # The process that had it may have removed it since we opened it.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(RUN / MARK)):
                return fd
        os.close(fd)


def _remove_mark() -> None:
    (RUN / MARK).unlink()


def _read(bus: Path) -> bool:
    return (bus / "drivers_autoprobe").read_text().strip() == "1"


def _write(bus: Path, *, on: bool) -> None:
    (bus / "drivers_autoprobe").write_text("1" if on else "0")


def _turn_on(bus: Path) -> None:
    _write(bus, on=True)
    for device in (bus / "devices").iterdir():
        if not device.name.startswith("vkbd-") and not (device / "driver").exists():
            # EINVAL where no driver wants it.
            with contextlib.suppress(OSError):
                (bus / "drivers_probe").write_text(device.name)
