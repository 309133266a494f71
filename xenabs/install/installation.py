"""Our files in a tree: there or not, as we wrote them or changed by somebody."""

from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.install import files, snippets
from xenabs.install.program import Program
from xenabs.install.stamp import ours, stamped
from xenabs.install.tree import Tree


def write(tree: Tree, program: Program, force: bool) -> list[Path]:
    """Write all of them; which these are.

    Raises XenabsError if one of them cannot be written, and before anything is written if one was
    changed; `force` replaces it.
    """
    changed = [] if force else _changed(tree)
    if changed:
        raise XenabsError(
            f"{tree.entry(changed[0])} is not as xenabs install writes it: look at it, then repeat "
            "with --force to replace it"
        )
    return [
        tree.write(path, stamped(files.adapted(text, program))) for path, text in files.templates()
    ]


def remove(tree: Tree, force: bool) -> tuple[list[Path], list[Path]]:
    """Remove those that are there: which these were, and which were changed and left.

    Those that `xenabs accel` wrote go with them. Raises XenabsError if one of them cannot be
    removed; `force` removes changed ones, too.
    """
    changed = [] if force else _changed(tree)
    removed = [tree.remove(path) for path in present(tree) if path not in changed]
    removed += snippets.forget(tree)
    return removed, [tree.entry(path) for path in changed]


def present(tree: Tree) -> list[str]:
    """Their paths in a tree, of those that are there. Raises XenabsError if it cannot be read."""
    return [path for path, _ in files.templates() if tree.read(path) is not None]


def _changed(tree: Tree) -> list[str]:
    return [
        path
        for path, text in files.templates()
        if (there := tree.read(path)) is not None and not ours(there, text)
    ]
