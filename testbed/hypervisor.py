"""Xen itself, taken out of a host's Debian packages."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from testbed import cache, packages
from testbed.apt import Apt
from testbed.errors import BedError
from testbed.progress import step
from testbed.suites import Suite

XEN = "xen"


def _build(directory: Path, apt: Apt, versions: dict[str, str]) -> None:
    with step(f"taking {apt.suite.name}'s Xen out of its package"):
        scratch = directory / "scratch"
        scratch.mkdir()
        tree = apt.unpack(versions, scratch)
        compressed = next((tree / "boot").glob("xen-*-amd64.gz"), None)
        if compressed is None:
            raise BedError("The hypervisor's package lacks its boot file.")
        (directory / XEN).write_bytes(gzip.decompress(compressed.read_bytes()))
        shutil.rmtree(scratch)


def obtain(suite: Suite, thorough: bool = False) -> Path:
    """Return the directory with XEN; call it with the cache locked."""
    apt = Apt(suite)
    return apt.artefact(
        f"xen-{suite.name}",
        lambda: apt.candidates((apt.dependency(packages.XEN_METAPACKAGE, packages.HYPERVISOR),)),
        lambda versions: cache.digest(repr(versions), Path(__file__)),
        lambda path, versions: _build(path, apt, versions),
        thorough,
    )
