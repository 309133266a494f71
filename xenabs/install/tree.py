"""The tree of a guest: this machine's own, or an image that is mounted somewhere."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from xenabs.errors import XenabsError

MOST_LINKS = 40
"""The kernel's own limit."""

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How directories of a tree and files that are made in it are opened (open(2))."""


class Tree:
    """The files below a directory, whose symbolic links lead where they lead in a chroot.

    Paths in the tree are absolute. Every call raises XenabsError if the tree does not let it.

    The tree is not trusted, not even to stay as it is meanwhile. `locate` and `entry` only say
    where something is; what is read, written or removed is reached from the root, one directory
    after the other by its descriptor, and the kernel follows no link on the way or at the end.
    """

    def __init__(self, root: Path) -> None:
        """Raises XenabsError if there is no such directory."""
        self.root = root.absolute()
        if not self.root.is_dir():
            raise XenabsError(
                f"there is no directory {root}: name the root of a guest's tree with --root"
            )

    def locate(self, path: str) -> Path:
        """Return where a path of the tree is for us."""
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
        """Return the text of an entry; None if there is none, "" for what is no file."""
        entry = self.entry(path)
        try:
            with self._directory_of(entry) as directory:
                there = os.stat(entry.name, dir_fd=directory, follow_symlinks=False)
                if not stat.S_ISREG(there.st_mode):
                    return ""
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with open(os.open(entry.name, flags, dir_fd=directory), errors="replace") as file:
                    return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise XenabsError(f"{entry} cannot be read ({error.strerror}): run as root") from error

    def write(self, path: str, text: str) -> Path:
        """Make or replace an entry, and the directories above it; never seen half written."""
        entry = self.entry(path)
        # No name that somebody could have made a link of before.
        new = f"{entry.name}.{secrets.token_hex(8)}.new"
        try:
            with self._directory_of(entry, make=True) as directory:
                try:
                    with open(os.open(new, NEW, 0o644, dir_fd=directory), "w") as file:
                        os.fchmod(file.fileno(), 0o644)
                        file.write(text)
                    os.replace(new, entry.name, src_dir_fd=directory, dst_dir_fd=directory)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.unlink(new, dir_fd=directory)
                    raise
        except OSError as error:
            raise _refused(entry, error) from error
        return entry

    def remove(self, path: str) -> Path:
        """Remove an entry."""
        entry = self.entry(path)
        try:
            with self._directory_of(entry) as directory:
                os.unlink(entry.name, dir_fd=directory)
        except OSError as error:
            raise _refused(entry, error) from error
        return entry

    @contextlib.contextmanager
    def _directory_of(self, entry: Path, *, make: bool = False) -> Iterator[int]:
        """Open the directory of an entry, which `make` makes where there is none.

        Raises OSError, also if a directory on the way is a link now, which `entry` had followed.
        """
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in entry.relative_to(self.root).parts[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=here)
                below = os.open(part, DIRECTORY, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


def _reversed_parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _refused(entry: Path, error: OSError) -> XenabsError:
    return XenabsError(
        f"{entry} cannot be changed ({error.strerror}): run xenabs as root, and have the tree "
        "mounted writable"
    )
