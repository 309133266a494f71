"""The guest's initrd, and in it what the guest gets beyond Debian: our files and xenabs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from testbed import cache, deb, initrd, kernels, packages, suites, wheel
from testbed.domain import Wanted
from testbed.host import call
from testbed.places import CHECKOUT, OVERLAY
from testbed.progress import step

INITRD = "initrd.img"
#: programs that the test bed runs in a guest, and where they are there
PROGRAMS = CHECKOUT / "testbed" / "guest"
PROGRAMS_IN_GUEST = "/usr/lib/testbed"


def _build(directory: Path, kernel: Path, modules: tuple[str, ...], xenabs: Path | None) -> None:
    with step("packing the guest's initrd"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch) / "payload"
        root.mkdir()
        if xenabs is not None:
            _install(xenabs, root)
        shutil.copytree(OVERLAY / "guest", root, symlinks=True, dirs_exist_ok=True)
        for program in PROGRAMS.glob("*.py"):
            shutil.copy(program, root / PROGRAMS_IN_GUEST.lstrip("/") / program.name)
        initrd.pack(directory / INITRD, kernel, modules, root)


def _install(xenabs: Path, root: Path) -> None:
    if xenabs.suffix == ".whl":
        wheel.install(xenabs, root)
        return
    call(["tar", "-C", root, "-xpf", xenabs], problem="xenabs' files cannot be unpacked.")


def obtain(kernel: Path, tree: Path, wanted: Wanted, thorough: bool = False) -> Path:
    """Return the initrd of a guest with that kernel and tree; call it with the cache locked."""
    xenabs: Path | None
    if wanted.init == "tiny":
        name, modules = "tiny-initrd", packages.GUEST_MODULES
        xenabs = wheel.obtain(thorough)
    elif wanted.kernel_driver:
        name, modules = "plain-initrd", packages.SYSTEMD_GUEST_MODULES
        xenabs = None
    else:
        name, modules = "systemd-initrd", packages.SYSTEMD_GUEST_MODULES
        package_of = suites.find(wanted.package_of or wanted.suite)
        xenabs = deb.obtain_layer(tree, package_of, thorough) / deb.LAYER
    parts: list[str | Path] = [kernel.name, repr(modules)]
    parts += [] if xenabs is None else [xenabs.parent.name]
    parts += [OVERLAY / "guest", OVERLAY / "initrd", PROGRAMS]
    parts += [Path(module.__file__) for module in (initrd, wheel, kernels)]
    directory = cache.obtain(
        f"{name}-{wanted.suite}",
        cache.digest(*parts, Path(__file__)),
        lambda path: _build(path, kernel, modules, xenabs),
        thorough=thorough,
    )
    return directory / INITRD
