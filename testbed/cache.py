"""Built artefacts: each is a directory of files, named after a hash of what went into it.

An artefact is built in a temporary directory and renamed into place with a manifest of its files'
sizes and SHA-256 sums. Before each use its files are compared with the manifest: sizes always,
contents whenever a file's time is not the recorded one. What does not fit is built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import lock
from testbed.places import cache_dir
from testbed.progress import say

MANIFEST = "manifest.json"
#: artefacts of one name that stay; a few, so that switching branches does not rebuild
KEPT = 3


def digest(*parts: str | bytes | Path) -> str:
    """A short hash of texts, bytes, files and directory trees (names, modes and contents)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for path in _files(part):
                name = path.relative_to(part) if path != part else Path(part.name)
                total.update(f"{name}\0{path.lstat().st_mode:o}\0".encode())
                if path.is_symlink():
                    total.update(os.readlink(path).encode() + b"\0")
                else:
                    total.update(hashlib.sha256(path.read_bytes()).digest())
        else:
            data = part.encode() if isinstance(part, str) else part
            total.update(f"{len(data)}\0".encode() + data)
    return total.hexdigest()[:16]


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir() or path.is_symlink():
        yield path
        return
    for inner in sorted(path.rglob("*")):
        if "__pycache__" in inner.parts or (inner.is_dir() and not inner.is_symlink()):
            continue
        yield inner


@contextmanager
def locked() -> Iterator[None]:
    """Hold the cache for oneself, so that two builds do not do the same work at once."""
    directory = cache_dir()
    directory.mkdir(parents=True, exist_ok=True)
    with lock.held(directory / "lock", "another build is at work in the cache"):
        yield


def has(name: str, key: str) -> bool:
    """Return whether artefact ``name`` with hash ``key`` is there, damaged or not."""
    return (cache_dir() / f"{name}-{key}").exists()


def obtain(name: str, key: str, build: Callable[[Path], None], *, thorough: bool = False) -> Path:
    """The directory of artefact ``name`` with hash ``key``, built by ``build`` if need be.

    ``build`` gets an empty directory to fill. ``thorough`` compares all contents with the
    manifest, not only those of files whose times have changed. Call it with the cache locked.
    """
    directory = cache_dir() / f"{name}-{key}"
    if directory.exists():
        fault = _fault(directory, thorough)
        if fault is None:
            os.utime(directory)
            return directory
        say(f"the cached {directory.name} is damaged ({fault}): building it again")
        shutil.rmtree(directory)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_dir()))
    try:
        build(scratch)
        _write_manifest(scratch)
        scratch.rename(directory)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    _prune(name)
    return directory


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(directory: Path) -> None:
    entries = {}
    for path in sorted(directory.iterdir()):
        if path.name != MANIFEST:
            stat = path.stat()
            entries[path.name] = [stat.st_size, stat.st_mtime_ns, _sum(path)]
    if not entries:
        raise AssertionError(f"nothing was built in {directory}")
    (directory / MANIFEST).write_text(json.dumps(entries, indent=1))


def _fault(directory: Path, thorough: bool) -> str | None:
    """What is wrong with a cached artefact, or None."""
    try:
        entries = json.loads((directory / MANIFEST).read_text())
        touched = False
        for name, (size, mtime, checksum) in entries.items():
            path = directory / name
            if not path.is_file():
                return f"{name} is missing"
            stat = path.stat()
            if stat.st_size != size:
                return f"{name} has {stat.st_size} bytes instead of {size}"
            if (thorough or stat.st_mtime_ns != mtime) and _sum(path) != checksum:
                return f"the contents of {name} have changed"
            touched = touched or stat.st_mtime_ns != mtime
    except (OSError, ValueError, AttributeError):
        return "its manifest cannot be read"
    if touched:  # such as a cache restored from an archive: the contents are right, note the times
        _write_manifest(directory)
    return None


def _prune(name: str) -> None:
    """Drop all but the last used artefacts of one name, and what broken-off builds left."""
    for left in cache_dir().glob(f".{name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    found = [
        path
        for path in cache_dir().glob(f"{name}-*")
        if len(path.name) == len(name) + 17  # the name, a dash and 16 digits of hash
    ]
    for old in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
