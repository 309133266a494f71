"""xenabs' Debian package: built of the checkout for a suite, and installed into a guest's tree."""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

from testbed import cache, packages, trees
from testbed.apt import Apt
from testbed.host import call
from testbed.places import CHECKOUT
from testbed.progress import step
from testbed.suites import Suite

#: the files that the package's installation has made or changed in the tree
LAYER = "layer.tar"
#: that of a make which calls us has its variables, such as SUITE
MAKE_ENVIRONMENT = {"MAKEFLAGS": "", "MAKELEVEL": ""}
ENVIRONMENT = {
    **MAKE_ENVIRONMENT,
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
}
#: what apt and dpkg note down for themselves, and nobody reads
NOTES = ("./tmp", "./var/cache", "./var/log")
PROBLEM = "xenabs' Debian package could not be built from this checkout."
#: where the checkout and the package are in a tree that it is built in
SOURCES_THERE, DIST_THERE = "/srv/xenabs", "/srv/dist"


def _make(*words: str | Path) -> str:
    argv = ["make", "--silent", "-C", CHECKOUT, *words]
    return call(argv, env=MAKE_ENVIRONMENT, problem=PROBLEM).decode()


def _sources() -> tuple[str, ...]:
    return ("Makefile", *_make("deb-sources").split())


def build_in_tree(
    directory: Path, suite: Suite, version_suffix: str = "", thorough: bool = False
) -> Path:
    """Put the package of this checkout into a directory, built in a tree of the suite's release.

    Return the package's file. Its version ends in the suite's suffix and ``version_suffix``.
    Call it with the cache locked.
    """
    wanted = packages.BUILD_PACKAGES
    tree = trees.obtain("build", Apt(suite), wanted, left_out=(), thorough=thorough)
    with (
        step(f"building xenabs' Debian package for {suite.release}"),
        tempfile.TemporaryDirectory(dir=directory) as scratch,
    ):
        root = Path(scratch)
        root.chmod(0o755)
        call(
            ["tar", "-C", root, "--numeric-owner", "-xpf", tree / trees.TREE],
            problem="The tree to build in cannot be unpacked.",
        )
        for name in _sources():
            source, copy = CHECKOUT / name, root / SOURCES_THERE.lstrip("/") / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, symlinks=True)
            else:
                shutil.copy(source, copy)
        call(
            [
                *("chroot", root, "make", "--silent", "-C", SOURCES_THERE, "deb"),
                *(f"DIST={DIST_THERE}", f"VERSION_SUFFIX={suite.version_suffix}{version_suffix}"),
            ],
            env=ENVIRONMENT,
            problem=PROBLEM,
        )
        package = next((root / DIST_THERE.lstrip("/")).glob("*.deb"))
        shutil.copy(package, directory)
        return directory / package.name


def _is_machines(suite: Suite) -> bool:
    """Return whether this machine has that release of Debian."""
    facts = platform.freedesktop_os_release()
    return (facts.get("ID"), facts.get("VERSION_CODENAME")) == ("debian", suite.release)


def obtain(suite: Suite, version_suffix: str = "", thorough: bool = False) -> Path:
    """Return the package of this checkout for a suite; call it with the cache locked.

    Where this machine has the suite, it is what ``make deb`` builds. With a version suffix such
    as "+1" it is a newer one of the same contents.
    """
    on_machine = _is_machines(suite)

    def make(directory: Path) -> None:
        if not on_machine:
            build_in_tree(directory, suite, version_suffix, thorough)
            return
        with step("building xenabs' Debian package"):
            _make("deb", f"DIST={directory}", f"VERSION_SUFFIX={version_suffix}")

    parts: list[str | Path] = [repr(Apt(suite).candidates(packages.BUILD_PACKAGES))]
    parts += [version_suffix, str(on_machine), suite.version_suffix]
    for name in _sources():
        parts += [name, CHECKOUT / name]
    directory = cache.obtain(
        f"deb{version_suffix}-{suite.release}",
        cache.digest(*parts, Path(__file__)),
        make,
        thorough=thorough,
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
            ["tar", "-C", root, "--numeric-owner", "-xpf", tree / trees.TREE],
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


def obtain_layer(tree: Path, suite: Suite, thorough: bool = False) -> Path:
    """Return the directory with LAYER, the package built for ``suite`` in a guest's tree.

    Call it with the cache locked.
    """
    deb = obtain(suite, thorough=thorough)
    name = tree.name.rpartition("-")[0].replace("guest-tree", "deb-layer")
    return cache.obtain(
        f"{name}-{suite.release}",
        cache.digest(deb.parent.name, tree.name, Path(__file__)),
        lambda directory: _install(directory, deb, tree),
        thorough=thorough,
    )
