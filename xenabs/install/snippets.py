"""Acceleration off or on from the next start of X on, by files in a tree's xorg.conf.d."""

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.install.stamp import ACCEL, INSTALL, stamped, unchanged
from xenabs.install.tree import Tree

ADMINISTRATORS = "/etc/X11/xorg.conf.d"
PACKAGES = "/usr/share/X11/xorg.conf.d"
"""Where X reads such files, these first; what is read last counts (xorg.conf(5))."""

OFF = "90-xenabs.conf"
OFF_FOR_ALL = "91-xenabs-all.conf"
ON = "93-xenabs-on.conf"
"""Turns OFF's pointers on again where that belongs to a package: X knows no masking of files."""


@dataclass
class Change:
    """What was done: files removed, files written, and those that were as they should be."""

    removed: list[Path] = field(default_factory=list)
    written: list[tuple[Path, str]] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)


def switch_off(tree: Tree, everything: bool) -> Change:
    """Have X start without acceleration of Xen's pointers, or of all.

    Raises XenabsError if a file cannot be written, or is not as xenabs wrote it.
    """
    change = Change()
    _remove(tree, ON, change)
    wanted = OFF_FOR_ALL if everything else OFF
    packaged = _path(PACKAGES, wanted)
    if (text := tree.read(packaged)) is not None:
        change.kept.append((tree.entry(packaged), text))
    else:
        _write(tree, wanted, change)
    return change


def switch_on(tree: Tree) -> Change:
    """Take that back; raises as `switch_off`."""
    change = Change()
    _remove(tree, OFF_FOR_ALL, change)
    own = tree.read(_path(ADMINISTRATORS, OFF))
    if own is not None and not unchanged(own, INSTALL):
        _remove(tree, OFF, change)
        own = None
    if own is not None or tree.read(_path(PACKAGES, OFF)) is not None:
        _write(tree, ON, change)
    else:
        _remove(tree, ON, change)
    return change


def active(tree: Tree) -> list[Path]:
    """The files in a tree that have X start without acceleration."""
    paths = [
        _path(directory, name)
        for directory in (PACKAGES, ADMINISTRATORS)
        for name in (OFF, OFF_FOR_ALL)
    ]
    return [tree.entry(path) for path in paths if tree.read(path) is not None]


def _path(directory: str, name: str) -> str:
    return f"{directory}/{name}"


def _shipped(name: str) -> str:
    """The text of one of our files, active in a distribution's package or not."""
    files = resources.files(__package__) / "files"
    directory = "xorg.conf.d" if name == OFF else "xorg.conf.d.available"
    return (files / directory / name).read_text()


def _write(tree: Tree, name: str, change: Change) -> None:
    path = _path(ADMINISTRATORS, name)
    _require_ours(tree, path)
    present, text = tree.read(path), stamped(_shipped(name), ACCEL)
    if present is not None and present.partition("\n")[2] == _shipped(name):
        change.kept.append((tree.entry(path), present))
    else:
        change.written.append((tree.write(path, text), text))


def _remove(tree: Tree, name: str, change: Change) -> None:
    path = _path(ADMINISTRATORS, name)
    if tree.read(path) is not None:
        _require_ours(tree, path)
        change.removed.append(tree.remove(path))


def _require_ours(tree: Tree, path: str) -> None:
    """Raise XenabsError if there is a file that somebody has written or changed."""
    text = tree.read(path)
    if text is not None and not any(unchanged(text, author) for author in (ACCEL, INSTALL)):
        raise XenabsError(
            f"{tree.entry(path)} is not as xenabs wrote it: look at it, and remove it or move it "
            "away, then repeat"
        )
