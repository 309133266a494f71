"""Where xenabs and its Python are in a tree."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from xenabs.errors import XenabsError
from xenabs.install.tree import Tree

SHEBANG = re.compile(rb"#! ?(/\S+)\n")


@dataclass(frozen=True)
class Program:
    """Paths in a tree."""

    executable: str
    interpreter: str
    packages: str
    """The directory that has the Python package xenabs in it."""


def find(tree: Tree, executable: str) -> Program:
    """The program that pip made in the tree. Raises XenabsError if it is not there or not whole."""
    file = tree.locate(executable)
    if not file.is_file():
        raise XenabsError(
            f"there is no {executable} in {tree.root}: install xenabs there with pip first, or "
            "name the program with --executable"
        )
    found = SHEBANG.match(file.read_bytes())
    if not found:
        raise XenabsError(
            f"{file} does not name its Python in the first line: name with --executable the "
            "program that pip made"
        )
    interpreter = found[1].decode()
    if not tree.locate(interpreter).is_file():
        raise XenabsError(
            f"{file} needs {interpreter}, which is not in {tree.root}: install xenabs with the "
            "Python of that tree"
        )
    return Program(executable, interpreter, _packages(tree, executable))


def _packages(tree: Tree, executable: str) -> str:
    prefix = tree.locate(str(PurePosixPath(executable).parent.parent))
    # There are several after the environment was moved to a newer Python.
    found = sorted(prefix.glob("lib*/python3*/*-packages/xenabs/__init__.py"))
    if not found:
        raise XenabsError(
            f"there is no Python package xenabs below {prefix}/lib: install it there with pip, and "
            "not as an editable one"
        )
    return f"/{found[-1].parent.parent.relative_to(tree.root)}"
