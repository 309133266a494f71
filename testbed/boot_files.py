"""Hypervisor, kernel, kernel modules and busybox, taken out of Debian's packages."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
from pathlib import Path

from testbed import cache, packages
from testbed.errors import BedError
from testbed.host import call
from testbed.progress import step

XEN = "xen"
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


def _unpacked(scratch: Path, versions: dict[str, str]) -> Path:
    """Download the packages and unpack them into one tree."""
    downloads = scratch / "downloads"
    downloads.mkdir()
    call(
        [
            *("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root"),
            *(f"{package}={version}" for package, version in versions.items()),
        ],
        cwd=downloads,
        problem="The hypervisor's and the kernel's packages could not be downloaded.",
    )
    tree = scratch / "tree"
    for package in sorted(downloads.glob("*.deb")):
        call(["dpkg-deb", "-x", package, tree], problem=f"{package.name} cannot be unpacked.")
    return tree


def module_files(tree: Path, release: str, modules: tuple[str, ...]) -> list[Path]:
    """The files to load for ``modules``, dependencies first; ``tree`` holds lib/modules."""
    files: list[Path] = []
    for module in modules:
        said = call(
            ["modprobe", "-d", tree, "-S", release, "--show-depends", module],
            problem=f"The kernel package has no module {module}.",
        ).decode()
        for line in said.splitlines():
            word, path, *_ = line.split()
            if word == "insmod" and Path(path) not in files:
                files.append(Path(path))
    return files


def _elf_of(kernel: bytes) -> bytes:
    """The ELF file in a bzImage (its setup header: Linux, Documentation/x86/boot.rst)."""
    setup_sectors = kernel[0x1F1] or 4
    offset, length = struct.unpack_from("<II", kernel, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # After the compressed data come four bytes with the size of the rest.
    try:
        elf = lzma.decompress(kernel[start : start + length - 4])
    except lzma.LZMAError:
        elf = b""
    if not elf.startswith(b"\x7fELF"):
        raise BedError("The kernel package's vmlinuz does not hold an ELF file packed by xz.")
    return elf


def _trim_modules(tree: Path, trimmed: Path) -> None:
    """Copy the needed modules below ``trimmed``/usr/lib/modules and index them."""
    release = next((tree / "lib/modules").iterdir()).name
    call(["depmod", "-b", tree, release], problem="depmod failed on the kernel's modules.")
    source = tree / "lib/modules" / release
    target = trimmed / "usr/lib/modules" / release
    for file in module_files(tree, release, ALL_MODULES):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(source / index, target / index)
    call(["depmod", "-b", trimmed / "usr", release], problem="depmod failed on the chosen modules.")


def _build(directory: Path, versions: dict[str, str]) -> None:
    with step("taking hypervisor and kernel out of their packages"):
        scratch = directory / "scratch"
        scratch.mkdir()
        tree = _unpacked(scratch, versions)
        compressed = next((tree / "boot").glob("xen-*-amd64.gz"), None)
        kernel = next((tree / "boot").glob("vmlinuz-*"), None)
        if compressed is None or kernel is None:
            raise BedError("The hypervisor's or the kernel's package lacks its boot file.")
        (directory / XEN).write_bytes(gzip.decompress(compressed.read_bytes()))
        shutil.copy(kernel, directory / KERNEL)
        (directory / KERNEL_ELF).write_bytes(_elf_of(kernel.read_bytes()))
        shutil.copy(tree / "bin/busybox", directory / BUSYBOX)
        _trim_modules(tree, scratch / "trimmed")
        call(
            [
                *("tar", "-C", scratch / "trimmed", "--owner=0", "--group=0", "--numeric-owner"),
                *("-cf", directory / MODULES, "usr"),
            ],
            problem="The kernel's modules could not be packed.",
        )
        shutil.rmtree(scratch)


def obtain(thorough: bool = False) -> Path:
    """Directory with all files named above; call it with the cache locked."""
    wanted = (packages.HYPERVISOR, packages.kernel_package(), packages.BUSYBOX)
    versions = packages.candidates(wanted)
    key = cache.digest(repr(versions), repr(ALL_MODULES), Path(__file__))
    return cache.obtain("boot", key, lambda path: _build(path, versions), thorough=thorough)
