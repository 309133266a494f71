"""The tree of a guest: this machine's own, or an image that is mounted somewhere."""

import os
from pathlib import Path

from xenabs.errors import XenabsError

MOST_LINKS = 40
"""The kernel's own limit."""


class Tree:
    """The files below a directory, whose symbolic links lead where they lead in a chroot.

    Paths in the tree are absolute. Every call raises XenabsError if the tree does not let it.
    """

    def __init__(self, root: Path) -> None:
        """Raises XenabsError if there is no such directory."""
        self.root = root.absolute()
        if not self.root.is_dir():
            raise XenabsError(
                f"there is no directory {root}: name the root of a guest's tree with --root"
            )

    def locate(self, path: str) -> Path:
        """Where a path of the tree is for us."""
        found: list[str] = []
        left = _reversed_parts(path)
        links = 0
        while left:
            part = left.pop()
            here = self.root.joinpath(*found, part)
            if part == "..":
                del found[-1:]
            elif os.path.islink(here):
                links += 1
                if links > MOST_LINKS:
                    raise XenabsError(f"{self.root}{path} is a loop of symbolic links: mend these")
                target = os.readlink(here)
                if target.startswith("/"):
                    found.clear()
                left += _reversed_parts(target)
            else:
                found.append(part)
        return self.root.joinpath(*found)

    def entry(self, path: str) -> Path:
        """Like `locate`, but a symbolic link at the end is itself meant."""
        directory, name = os.path.split(path)
        return self.locate(directory) / name

    def read(self, path: str) -> str | None:
        """The text of an entry; None if there is none, "" for what is no file."""
        entry = self.entry(path)
        if not os.path.lexists(entry):
            return None
        if entry.is_symlink() or not entry.is_file():
            return ""
        try:
            return entry.read_text(errors="replace")
        except OSError as error:
            raise XenabsError(f"{entry} cannot be read ({error.strerror}): run as root") from error

    def write(self, path: str, text: str) -> Path:
        """Make or replace an entry, and the directories above it; never seen half written."""
        entry = self.entry(path)
        new = entry.with_name(entry.name + ".new")
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text)
            new.chmod(0o644)
            new.replace(entry)
        except OSError as error:
            raise _refused(entry, error) from error
        return entry

    def remove(self, path: str) -> Path:
        """Remove an entry."""
        entry = self.entry(path)
        try:
            entry.unlink()
        except OSError as error:
            raise _refused(entry, error) from error
        return entry


def _reversed_parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _refused(entry: Path, error: OSError) -> XenabsError:
    return XenabsError(
        f"{entry} cannot be changed ({error.strerror}): run xenabs as root, and have the tree "
        "mounted writable"
    )
