"""Acceleration off or on from the next start of X on, by files in a tree's xorg.conf.d."""

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.install.stamp import ACCEL, INSTALL, ours, stamped, unchanged
from xenabs.install.tree import Tree

ADMINISTRATORS = "/etc/X11/xorg.conf.d"
PACKAGES = "/usr/share/X11/xorg.conf.d"
"""Where X reads such files, these first; what is read last counts (xorg.conf(5))."""

OFF = "90-xenabs.conf"
OFF_FOR_ALL = "91-xenabs-all.conf"
ON = "93-xenabs-on.conf"
"""Gives OFF's pointers the drivers' defaults where OFF is a package's: X cannot mask files."""

POINTERS = {OFF: "Xen's pointers", OFF_FOR_ALL: "all mice"}
"""Whose acceleration each turns off."""


@dataclass
class Change:
    """What was done: files removed, files written, and those that were as they should be.

    Those that are `left` still turn acceleration off.
    """

    removed: list[Path] = field(default_factory=list)
    written: list[tuple[Path, str]] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)


def switch_off(tree: Tree, everything: bool) -> Change:
    """Have X start without acceleration of Xen's pointers, or of all.

    Raises XenabsError if a file cannot be written, and before anything is done if one is not as
    xenabs wrote it.
    """
    change = Change()
    wanted = OFF_FOR_ALL if everything else OFF
    packaged = _path(PACKAGES, wanted)
    text = tree.read(packaged)
    _require_ours(tree, *([ON] if text is not None else [ON, wanted]))
    _remove(tree, ON, change)
    if text is not None:
        change.kept.append((tree.entry(packaged), text))
    else:
        _write(tree, wanted, change)
    return change


def switch_on(tree: Tree) -> Change:
    """Take that back, or overrule OFF where nothing is to be taken back; raises as `switch_off`."""
    change = Change()
    own = tree.read(_path(ADMINISTRATORS, OFF))
    installed = own is not None and unchanged(own, INSTALL)
    others = installed or tree.read(_path(PACKAGES, OFF)) is not None
    undone = [OFF_FOR_ALL, *([] if installed else [OFF]), *([] if others else [ON])]
    _require_ours(tree, *undone)
    for name in undone:
        _remove(tree, name, change)
    if others and not change.removed:
        _require_ours(tree, ON)
        _write(tree, ON, change)
    change.left = active(tree)
    return change


def forget(tree: Tree) -> list[Path]:
    """Remove what `switch_off` and `switch_on` wrote and nobody changed; which files these were."""
    return [
        tree.remove(path)
        for path in (_path(ADMINISTRATORS, name) for name in (OFF, OFF_FOR_ALL, ON))
        if unchanged(tree.read(path) or "", ACCEL)
    ]


def active(tree: Tree) -> list[Path]:
    """The files in a tree that have X start without acceleration, less an OFF that ON overrules."""
    overruled = tree.read(_path(ADMINISTRATORS, ON)) is not None
    paths = [
        _path(directory, name)
        for directory in (PACKAGES, ADMINISTRATORS)
        for name in ([] if overruled else [OFF]) + [OFF_FOR_ALL]
    ]
    return [tree.entry(path) for path in paths if tree.read(path) is not None]


def turning_off(tree: Tree, xens: bool) -> list[Path]:
    """Of these the ones that are about a mouse: one of Xen's, or another one."""
    if not xens:
        return [path for path in active(tree) if path.name == OFF_FOR_ALL]
    # It is read after all of them.
    overruled = tree.read(_path(ADMINISTRATORS, ON)) is not None
    return [] if overruled else active(tree)


def _path(directory: str, name: str) -> str:
    return f"{directory}/{name}"


def _shipped(name: str) -> str:
    """The text of one of our files, active in a distribution's package or not."""
    files = resources.files(__package__) / "files"
    directory = "xorg.conf.d" if name == OFF else "xorg.conf.d.available"
    return (files / directory / name).read_text()


def _write(tree: Tree, name: str, change: Change) -> None:
    """Those who call have made sure that it is ours."""
    path = _path(ADMINISTRATORS, name)
    present, shipped = tree.read(path), _shipped(name)
    if present is not None and shipped in (present, present.partition("\n")[2]):
        change.kept.append((tree.entry(path), present))
    else:
        text = stamped(shipped, ACCEL)
        change.written.append((tree.write(path, text), text))


def _remove(tree: Tree, name: str, change: Change) -> None:
    """Those who call have made sure that it is ours."""
    path = _path(ADMINISTRATORS, name)
    if tree.read(path) is not None:
        change.removed.append(tree.remove(path))


def _require_ours(tree: Tree, *names: str) -> None:
    """Raise XenabsError if one is there that somebody has written or changed."""
    for name in names:
        path = _path(ADMINISTRATORS, name)
        text = tree.read(path)
        if text is not None and not ours(text, _shipped(name)):
            raise XenabsError(
                f"{tree.entry(path)} is not as xenabs wrote it: look at it, and remove it or move "
                "it away, then repeat"
            )
