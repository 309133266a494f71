"""Root disks: a Debian tree with our files in it, as an ext4 image."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testbed import cache, initrd, kernels, keys, packages, trees
from testbed.host import call
from testbed.places import OVERLAY
from testbed.progress import step
from testbed.suites import Suite

DISK = "disk.img"
INITRD = "initrd.img"
#: all that is asked of dom0 or a guest comes over one connection
SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PrintMotd no
MaxSessions 1000
UseDNS no
"""
#: bytes of free room in dom0's disk: saved guests, logs
DOM0_ROOM = 1200 << 20
#: a guest's disk is never written to
GUEST_ROOM = 32 << 20


def unpack_tree(tree: Path, kernel: Path, key_dir: Path, root: Path) -> None:
    """Unpack a Debian tree with the kernel's modules, and let our key log in as root there."""
    for archive in (tree / trees.TREE, kernel / kernels.MODULES):
        call(
            ["tar", "-C", root, "--numeric-owner", "-xpf", archive],
            problem=f"{archive.parent.name} cannot be unpacked.",
        )
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key_dir / keys.PUBLIC, ssh / "authorized_keys")
    (root / "etc/ssh/sshd_config").write_text(SSHD)


def pack_ext4(root: Path, image: Path, room: int) -> None:
    """Make an ext4 file system of a directory, with ``room`` bytes to spare; no journal."""
    used = int(call(["du", "-s", "-B1", root], problem="The tree cannot be measured.").split()[0])
    with open(image, "wb") as file:
        file.truncate(((used * 11 // 10 + room) >> 20) << 20)
    call(
        [
            *("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal"),
            *("-E", "lazy_itable_init=1,nodiscard", "-d", root, image),
        ],
        problem=f"The disk image {image.name} could not be made.",
    )


@dataclass(frozen=True)
class Parts:
    """What a disk is made of: directories of a Debian tree, of its kernel, and of our key."""

    tree: Path
    kernel: Path
    keys: Path

    def unpack(self, root: Path) -> None:
        """Make the disk's tree in a directory."""
        root.chmod(0o755)
        unpack_tree(self.tree, self.kernel, self.keys, root)

    def digest(self, *more: Path) -> str:
        """Return a hash of all of it and of files and directories of ours."""
        names = (self.tree.name, self.kernel.name, self.keys.name)
        return cache.digest(*names, (self.keys / keys.PUBLIC).read_bytes(), Path(__file__), *more)


def _dom0(directory: Path, parts: Parts) -> None:
    with step("packing dom0's disk"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch)
        parts.unpack(root)
        shutil.copytree(OVERLAY / "dom0", root, symlinks=True, dirs_exist_ok=True)
        pack_ext4(root, directory / DISK, DOM0_ROOM)
        initrd.pack(directory / INITRD, parts.kernel, packages.DOM0_MODULES)


def obtain_dom0(suite: Suite, parts: Parts, thorough: bool = False) -> Path:
    """Return the directory with dom0's DISK and INITRD; call it with the cache locked."""
    key = parts.digest(OVERLAY / "dom0", OVERLAY / "initrd", Path(initrd.__file__))
    name = f"dom0-disk-{suite.name}"
    return cache.obtain(name, key, lambda path: _dom0(path, parts), thorough=thorough)


def _guest(directory: Path, parts: Parts) -> None:
    with step("packing the guest's disk"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch)
        parts.unpack(root)
        for name in (kernels.KERNEL, kernels.KERNEL_ELF):
            shutil.copy(parts.kernel / name, root / "boot" / name)
        pack_ext4(root, directory / DISK, GUEST_ROOM)


def obtain_guest(suite: Suite, parts: Parts, thorough: bool = False) -> Path:
    """Return the directory with the DISK of a guest; call it with the cache locked.

    Only packages, kernel, modules and keys are in it; dom0 starts the kernel from it. Our own
    files and xenabs come with the guest's initrd (see testbed.payload), so that changing them
    packs no disk.
    """
    name = f"guest-disk-{suite.name}"
    return cache.obtain(name, parts.digest(), lambda path: _guest(path, parts), thorough=thorough)
