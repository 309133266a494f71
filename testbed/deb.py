"""xenabs' Debian package: built of the checkout, and installed into a guest's tree by apt."""

from __future__ import annotations

import tempfile
from pathlib import Path

from testbed import cache, packages
from testbed.host import call
from testbed.places import CHECKOUT
from testbed.progress import step
from testbed.trees import TREE

#: the files that the package's installation has made or changed in the tree
LAYER = "layer.tar"
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
}
#: what apt and dpkg note down for themselves, and nobody reads
NOTES = ("./tmp", "./var/cache", "./var/log")


def _make(*words: str) -> str:
    return call(
        ["make", "--silent", "-C", CHECKOUT, *words],
        problem="xenabs' Debian package could not be built from this checkout.",
    ).decode()


def obtain(version_suffix: str = "", thorough: bool = False) -> Path:
    """The package of the present checkout; call it with the cache locked.

    With a version suffix such as "+1" it is a newer one of the same contents.
    """

    def build(directory: Path) -> None:
        with step("building xenabs' Debian package"):
            _make("deb", f"DIST={directory}", f"VERSION_SUFFIX={version_suffix}")

    parts: list[str | Path] = [repr(packages.candidates(packages.BUILD_PACKAGES)), version_suffix]
    for name in ("Makefile", *_make("deb-sources").split()):
        parts += [name, CHECKOUT / name]
    directory = cache.obtain(
        f"deb{version_suffix}", cache.digest(*parts, Path(__file__)), build, thorough=thorough
    )
    return next(directory.glob("*.deb"))


def _install(directory: Path, deb: Path, tree: Path) -> None:
    with (
        step("installing xenabs' Debian package into the guest's tree"),
        tempfile.TemporaryDirectory(dir=directory) as scratch,
    ):
        root = Path(scratch) / "root"
        root.mkdir()
        call(
            ["tar", "-C", root, "--numeric-owner", "-xpf", tree / TREE],
            problem="The guest's tree cannot be unpacked.",
        )
        before = Path(scratch) / "before"
        before.touch()
        there = "/tmp/xenabs.deb"
        (root / there.lstrip("/")).write_bytes(deb.read_bytes())
        call(
            ["chroot", root, "apt-get", "install", "-qq", "-o", "Dpkg::Use-Pty=false", there],
            env=ENVIRONMENT,
            problem="The guest's apt could not install xenabs' Debian package.",
        )
        changed = call(
            ["find", ".", "-cnewer", before, "-print0"],
            cwd=root,
            problem="What the package has changed in the guest's tree cannot be found.",
        )
        call(
            [
                *("tar", "-C", root, "--numeric-owner", "-cf", directory / LAYER),
                *(f"--exclude={path}" for path in NOTES),
                *("--no-recursion", "--null", "--files-from=-"),
            ],
            stdin=changed,
            problem="What the package has changed in the guest's tree could not be packed.",
        )


def obtain_layer(tree: Path, thorough: bool = False) -> Path:
    """Directory with LAYER for a guest's tree; call it with the cache locked."""
    deb = obtain(thorough=thorough)
    return cache.obtain(
        "deb-layer",
        cache.digest(deb.parent.name, tree.name, Path(__file__)),
        lambda directory: _install(directory, deb, tree),
        thorough=thorough,
    )
