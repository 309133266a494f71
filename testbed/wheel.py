"""xenabs itself: the checkout's wheel, built with the Python that runs the test bed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from testbed import cache
from testbed.errors import BedError
from testbed.host import call
from testbed.places import CHECKOUT
from testbed.progress import step

#: what may go into the wheel; the build sees nothing else of the checkout
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "autostart",
    "completions",
    "docs/xenabs.1",
    "modules-load.d",
    "share",
    "systemd",
    "udev",
    "xenabs",
    "xorg.conf.d",
    "xorg.conf.d.available",
)
#: results of earlier builds in the checkout, which are not sources
NOT_SOURCES = ("__pycache__", "*.so", "*.o", "*.pyc")


def _copy_sources(target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        source = CHECKOUT / name
        (target / name).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target / name, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCES)
            )
        elif source.exists():
            shutil.copy(source, target / name)


def _build(directory: Path) -> None:
    with step("building xenabs' wheel"):
        scratch = directory / "scratch"
        _copy_sources(scratch)
        call(
            [
                *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--wheel-dir", directory, scratch),
            ],
            problem="xenabs' wheel could not be built from this checkout.",
        )
        shutil.rmtree(scratch)


def obtain(thorough: bool = False) -> Path:
    """The wheel of the present checkout; call it with the cache locked."""
    if not (CHECKOUT / "pyproject.toml").exists():
        raise BedError(f"There is no pyproject.toml in {CHECKOUT}: the test bed needs a checkout.")
    if importlib.util.find_spec("installer") is None:
        raise BedError("The Python library 'installer' is missing: pip install installer.")
    sources = [(name, CHECKOUT / name) for name in SOURCES if (CHECKOUT / name).exists()]
    parts: list[str | Path] = [sys.version]
    for name, path in sources:
        parts += [name, path]
    directory = cache.obtain(
        "wheel", cache.digest(*parts, Path(__file__)), _build, thorough=thorough
    )
    return next(directory.glob("*.whl"))


def install(wheel: Path, root: Path) -> None:
    """Unpack a wheel into a Debian tree, where Debian's own Python finds it.

    Of the files that `xenabs install` would add, a guest without udev and systemd gets libinput's.
    """
    import installer
    from installer.destinations import SchemeDictionaryDestination
    from installer.sources import WheelFile

    packages = "/usr/lib/python3/dist-packages"
    destination = SchemeDictionaryDestination(
        {
            "purelib": packages,
            "platlib": packages,
            "scripts": "/usr/bin",
            "headers": "/usr/include",
            "data": "/usr",
        },
        interpreter="/usr/bin/python3",
        script_kind="posix",
        bytecode_optimization_levels=(0,),
        destdir=str(root),
    )
    with WheelFile.open(wheel) as source:
        installer.install(source, destination, additional_metadata={"INSTALLER": b"testbed"})
    shutil.copytree(
        root / packages.lstrip("/") / "xenabs/install/files/share/libinput",
        root / "usr/share/libinput",
    )
