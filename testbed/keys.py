"""The keys by which the test bed logs in to dom0 and guests: made once, kept in the cache."""

from __future__ import annotations

from pathlib import Path

from testbed import cache
from testbed.host import call

PRIVATE = "id_ed25519"
PUBLIC = "id_ed25519.pub"


def _make(directory: Path) -> None:
    call(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", directory / PRIVATE],
        problem="The test bed's ssh key could not be made.",
    )
    (directory / PRIVATE).chmod(0o600)


def obtain(thorough: bool = False) -> Path:
    """Directory with the key pair; call it with the cache locked."""
    return cache.obtain("keys", cache.digest("ed25519"), _make, thorough=thorough)
