"""A file's lock, which one process has at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.progress import say


@contextmanager
def held(file: Path, otherwise: str) -> Iterator[None]:
    """Hold it; while somebody else does, wait, and say what he does.

    The kernel drops the lock when its holder ends, however it ends.
    """
    with open(file, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{otherwise}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
