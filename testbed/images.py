"""All that a bed boots from: brings the cache up to date and says where each file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import boot_files, cache, disks, host, keys, packages, payload, trees
from testbed.domain import Wanted


@dataclass(frozen=True)
class Images:
    """Files for the outer QEMU: hypervisor, kernel, dom0's initrd and disk, the guest's disk.

    And the directory of the tree that the guest's disk was made of.
    """

    boot: Path
    xen: Path
    kernel: Path
    dom0_initrd: Path
    dom0_disk: Path
    guest_disk: Path
    guest_tree: Path
    key: Path


def obtain(thorough: bool = False) -> Images:
    """Build what is missing or damaged; ``thorough`` reads every byte of what is there."""
    host.require(host.BUILD_COMMANDS)
    host.require_root()
    with cache.locked():
        key_dir = keys.obtain(thorough)
        boot = boot_files.obtain(thorough)
        dom0 = disks.obtain_dom0(boot, key_dir, thorough)
        tree = trees.obtain("guest", packages.GUEST_PACKAGES, packages.GUEST_UNPACKED, thorough)
        guest = disks.obtain_guest(tree, boot, key_dir, thorough)
    return Images(
        boot=boot,
        xen=boot / boot_files.XEN,
        kernel=boot / boot_files.KERNEL_ELF,
        dom0_initrd=dom0 / disks.INITRD,
        dom0_disk=dom0 / disks.DISK,
        guest_disk=guest / disks.DISK,
        guest_tree=tree,
        key=key_dir / keys.PRIVATE,
    )


def guest_initrd(images: Images, wanted: Wanted, thorough: bool = False) -> Path:
    """The initrd of a guest, with xenabs of the present checkout where it is to have it."""
    with cache.locked():
        return payload.obtain(images.boot, images.guest_tree, wanted, thorough)
