"""Root disks: a Debian tree with our files in it, as an ext4 image."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from testbed import boot_files, cache, initrd, keys, packages, trees
from testbed.host import call
from testbed.places import OVERLAY
from testbed.progress import step

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


def unpack_tree(tree: Path, boot: Path, key_dir: Path, root: Path) -> None:
    """Unpack a Debian tree with the kernel's modules, and let our key log in as root there."""
    for archive in (tree / trees.TREE, boot / boot_files.MODULES):
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


def _dom0(directory: Path, tree: Path, boot: Path, key_dir: Path) -> None:
    with step("packing dom0's disk"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        unpack_tree(tree, boot, key_dir, root)
        shutil.copytree(OVERLAY / "dom0", root, symlinks=True, dirs_exist_ok=True)
        for kernel in (boot_files.KERNEL, boot_files.KERNEL_ELF):
            shutil.copy(boot / kernel, root / "boot" / kernel)
        pack_ext4(root, directory / DISK, DOM0_ROOM)
        initrd.pack(directory / INITRD, boot, packages.DOM0_MODULES)


def obtain_dom0(boot: Path, key_dir: Path, thorough: bool = False) -> Path:
    """Directory with dom0's DISK and INITRD; call it with the cache locked."""
    tree = trees.obtain("dom0", packages.DOM0_PACKAGES, thorough=thorough)
    parts = (tree.name, boot.name, key_dir.name, (key_dir / keys.PUBLIC).read_bytes())
    key = cache.digest(
        *parts, OVERLAY / "dom0", OVERLAY / "initrd", Path(__file__), Path(initrd.__file__)
    )
    return cache.obtain(
        "dom0-disk", key, lambda path: _dom0(path, tree, boot, key_dir), thorough=thorough
    )


def _guest(directory: Path, tree: Path, boot: Path, key_dir: Path) -> None:
    with step("packing the guest's disk"), tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        unpack_tree(tree, boot, key_dir, root)
        pack_ext4(root, directory / DISK, GUEST_ROOM)


def obtain_guest(tree: Path, boot: Path, key_dir: Path, thorough: bool = False) -> Path:
    """Directory with the DISK of a guest's tree; call it with the cache locked.

    Only packages, modules and keys are in it. Our own files and xenabs come with the guest's
    initrd (see testbed.payload), so that changing them packs no disk and restarts no Xen.
    """
    parts = (tree.name, boot.name, key_dir.name, (key_dir / keys.PUBLIC).read_bytes())
    key = cache.digest(*parts, Path(__file__))
    return cache.obtain(
        "guest-disk", key, lambda path: _guest(path, tree, boot, key_dir), thorough=thorough
    )
