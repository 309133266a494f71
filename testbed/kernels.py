"""A suite's kernel, its modules and busybox, taken out of Debian's packages."""

from __future__ import annotations

import lzma
import re
import shutil
import struct
from pathlib import Path

from testbed import cache, packages
from testbed.apt import Apt
from testbed.errors import BedError
from testbed.host import call
from testbed.progress import step
from testbed.suites import Suite

#: as it is in the package, for what boots it like a PC does
KERNEL = "vmlinuz"
#: the ELF file in it; unpacking it here saves seconds in each boot by Xen or xl
KERNEL_ELF = "vmlinux"
BUSYBOX = "busybox"
#: the trimmed module tree, rooted at usr/lib/modules
MODULES = "modules.tar"

ALL_MODULES = (
    *packages.DOM0_MODULES,
    *packages.GUEST_MODULES,
    *packages.GUEST_DEVICE_MODULES,
)
XZ, ZSTD = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"


def _choose(apt: Apt) -> dict[str, str]:
    """Return the kernel's packages, of which it may have several, and busybox, with versions."""
    part = apt.suite.kernel
    image = apt.dependency(packages.KERNEL_METAPACKAGE, r"linux-image-\d.*", part)
    release = re.escape(image.removeprefix("linux-image-"))
    others = apt.dependencies(image, rf"linux-(base|binary|modules)-{release}", part)
    kernel = (image, *others)
    return {**apt.candidates(kernel, part), **apt.candidates((packages.BUSYBOX,))}


def module_files(tree: Path, release: str, modules: tuple[str, ...]) -> list[Path]:
    """Return the files to load for ``modules``, dependencies first; ``tree`` holds lib/modules."""
    files: list[Path] = []
    for module in modules:
        said = call(
            ["modprobe", "-d", tree, "-S", release, "--show-depends", module],
            problem=f"The kernel package has no module {module}.",
        ).decode()
        for line in said.splitlines():
            word, path, *_ = line.split()
            file = Path(path).resolve()
            if word == "insmod" and file not in files:
                files.append(file)
    return files


def unpacked_elf(kernel: bytes) -> bytes:
    """Return the ELF file in a bzImage (its setup header: Linux, Documentation/x86/boot.rst).

    Raise BedError if it is packed by something other than xz and zstd.
    """
    setup_sectors = kernel[0x1F1] or 4
    offset, length = struct.unpack_from("<II", kernel, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # After the compressed data come four bytes with the size of the rest.
    packed = kernel[start : start + length - 4]
    elf = b""
    if packed.startswith(XZ):
        elf = lzma.decompress(packed)
    elif packed.startswith(ZSTD):
        elf = call(["zstd", "-dc"], stdin=packed, problem="The kernel cannot be unpacked.")
    if not elf.startswith(b"\x7fELF"):
        raise BedError("The kernel's vmlinuz holds no ELF file that is packed by xz or zstd.")
    return elf


def link_lib(root: Path) -> None:
    """Make ``root``/lib a link to usr/lib: which of the two kmod looks in depends on its build."""
    (root / "usr/lib").mkdir(parents=True, exist_ok=True)
    (root / "lib").symlink_to("usr/lib")


def _merge_lib(tree: Path) -> None:
    """Move what a package of an unmerged tree has below lib to usr/lib."""
    if (tree / "lib").is_dir():
        shutil.copytree(tree / "lib", tree / "usr/lib", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(tree / "lib")
    link_lib(tree)


def _trim_modules(tree: Path, trimmed: Path) -> None:
    """Copy the needed modules below ``trimmed``/usr/lib/modules, unpacked, and index them."""
    release = next((tree / "usr/lib/modules").iterdir()).name
    call(["depmod", "-b", tree, release], problem="depmod failed on the kernel's modules.")
    source = (tree / "usr/lib/modules" / release).resolve()
    link_lib(trimmed)
    target = trimmed / "usr/lib/modules" / release
    for file in module_files(tree, release, ALL_MODULES):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".xz":
            copy.with_suffix("").write_bytes(lzma.decompress(file.read_bytes()))
        else:
            shutil.copy(file, copy)
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(source / index, target / index)
    call(["depmod", "-b", trimmed, release], problem="depmod failed on the chosen modules.")


def _build(directory: Path, apt: Apt, versions: dict[str, str]) -> None:
    with step(f"taking {apt.suite.name}'s kernel out of its packages"):
        scratch = directory / "scratch"
        scratch.mkdir()
        tree = apt.unpack(versions, scratch)
        _merge_lib(tree)
        found = [*(tree / "boot").glob("vmlinuz-*"), *tree.glob("usr/lib/modules/*/vmlinuz")]
        if not found:
            raise BedError("The kernel's packages have no vmlinuz.")
        shutil.copy(found[0], directory / KERNEL)
        (directory / KERNEL_ELF).write_bytes(unpacked_elf(found[0].read_bytes()))
        busybox = next(path for path in (tree / "bin", tree / "usr/bin") if path.exists())
        shutil.copy(busybox / "busybox", directory / BUSYBOX)
        _trim_modules(tree, scratch / "trimmed")
        call(
            [
                *("tar", "-C", scratch / "trimmed", "--owner=0", "--group=0", "--numeric-owner"),
                *("-cf", directory / MODULES, "usr"),
            ],
            problem="The kernel's modules could not be packed.",
        )
        shutil.rmtree(scratch)


def obtain(suite: Suite, thorough: bool = False) -> Path:
    """Return the directory with all files named above; call it with the cache locked."""
    apt = Apt(suite)
    return apt.artefact(
        f"kernel-{suite.name}",
        lambda: _choose(apt),
        lambda versions: cache.digest(repr(versions), repr(ALL_MODULES), Path(__file__)),
        lambda path, versions: _build(path, apt, versions),
        thorough,
    )
