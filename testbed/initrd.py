"""Initial RAM disks: busybox, kernel modules, and one script for dom0 and guests."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path

from testbed import kernels
from testbed.host import call
from testbed.places import OVERLAY

#: in an initrd: a tree that its script copies over the root file system
PAYLOAD = "payload"


def pack(target: Path, kernel: Path, modules: tuple[str, ...], payload: Path | None = None) -> None:
    """Write an initrd that loads ``modules`` in their order and carries the tree ``payload``.

    ``kernel`` is the directory of the kernel that they are for, see testbed.kernels.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        root = Path(scratch) / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(kernel / kernels.BUSYBOX, root / "bin/busybox")
        (root / "bin/sh").symlink_to("busybox")
        shutil.copy(OVERLAY / "initrd/init", root / "init")
        (root / "init").chmod(0o755)
        _add_modules(Path(scratch) / "modules", root, kernel, modules)
        if payload is not None:
            shutil.copytree(payload, root / PAYLOAD, symlinks=True)
        target.write_bytes(_archive(root))


def _add_modules(unpacked: Path, root: Path, kernel: Path, modules: tuple[str, ...]) -> None:
    kernels.link_lib(unpacked)
    call(
        ["tar", "-C", unpacked, "-xf", kernel / kernels.MODULES],
        problem="The kernel's modules cannot be unpacked.",
    )
    release = next((unpacked / "usr/lib/modules").iterdir()).name
    files = kernels.module_files(unpacked, release, modules)
    (root / "modules").mkdir()
    for file in files:
        shutil.copy(file, root / "modules" / file.name)
    (root / "modules/order").write_text("".join(f"/modules/{file.name}\n" for file in files))


def _archive(root: Path) -> bytes:
    """The tree as a compressed newc archive: an HVM guest gets it through an I/O port."""
    names = sorted(path.relative_to(root) for path in root.rglob("*"))
    listing = "".join(f"{name}\0" for name in names).encode()
    archive = call(
        ["cpio", "--create", "--null", "--format=newc", "--owner=0:0", "--quiet"],
        cwd=root,
        stdin=listing,
        problem="The initrd could not be packed.",
    )
    return gzip.compress(archive, compresslevel=6, mtime=0)
