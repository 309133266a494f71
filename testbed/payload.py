"""The guest's initrd, and in it what the guest gets beyond Debian: our files and xenabs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from testbed import boot_files, cache, initrd, packages, wheel
from testbed.places import CHECKOUT, OVERLAY
from testbed.progress import step

INITRD = "initrd.img"
#: programs that the test bed runs in a guest, and where they are there
PROGRAMS = CHECKOUT / "testbed" / "guest"
PROGRAMS_IN_GUEST = "/usr/lib/testbed"


def _build(directory: Path, boot: Path, xenabs: Path) -> None:
    with step("packing the guest's initrd"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch) / "payload"
        shutil.copytree(OVERLAY / "guest", root, symlinks=True)
        for program in PROGRAMS.glob("*.py"):
            shutil.copy(program, root / PROGRAMS_IN_GUEST.lstrip("/") / program.name)
        wheel.install(xenabs, root)
        initrd.pack(directory / INITRD, boot, packages.GUEST_MODULES, root)


def obtain(boot: Path, thorough: bool = False) -> Path:
    """The guest's initrd, with the checkout's xenabs; call it with the cache locked."""
    xenabs = wheel.obtain(thorough)
    parts: list[str | Path] = [boot.name, xenabs]
    parts += [OVERLAY / "guest", OVERLAY / "initrd", PROGRAMS]
    parts += [Path(module.__file__) for module in (initrd, wheel, boot_files)]
    directory = cache.obtain(
        "guest-initrd",
        cache.digest(*parts, Path(__file__)),
        lambda path: _build(path, boot, xenabs),
        thorough=thorough,
    )
    return directory / INITRD
