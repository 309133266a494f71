"""All that a bed boots from: brings the cache up to date and says where each file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import cache, disks, host, hypervisor, kernels, keys, packages, payload, suites, trees
from testbed.apt import Apt
from testbed.domain import Wanted


@dataclass(frozen=True)
class HostImages:
    """Files for the outer QEMU: hypervisor, dom0's kernel, initrd and disk; the key to log in."""

    xen: Path
    kernel: Path
    initrd: Path
    disk: Path
    key: Path


@dataclass(frozen=True)
class GuestImages:
    """A guest's disk, with its kernel in it, and its initrd, with xenabs of this checkout."""

    disk: Path
    initrd: Path


def _require() -> None:
    host.require(host.BUILD_COMMANDS)
    host.require_root()


def obtain_host(name: str = suites.DEFAULT, thorough: bool = False) -> HostImages:
    """Build what is missing or damaged of a host; ``thorough`` reads every byte of what is there.

    ``name`` is the suite of Xen and dom0.
    """
    _require()
    suite = suites.find(name)
    with cache.locked():
        apt = Apt(suite)
        utilities = apt.dependency(packages.XEN_METAPACKAGE, packages.XEN_UTILS)
        tree = trees.obtain("dom0", apt, (*packages.DOM0_PACKAGES, utilities), thorough=thorough)
        parts = disks.Parts(tree, kernels.obtain(suite, thorough), keys.obtain(thorough))
        disk = disks.obtain_dom0(suite, parts, thorough)
        xen = hypervisor.obtain(suite, thorough)
    return HostImages(
        xen=xen / hypervisor.XEN,
        kernel=parts.kernel / kernels.KERNEL_ELF,
        initrd=disk / disks.INITRD,
        disk=disk / disks.DISK,
        key=parts.keys / keys.PRIVATE,
    )


def obtain_guest(wanted: Wanted, thorough: bool = False) -> GuestImages:
    """Build what is missing or damaged of a guest, with xenabs where it is to have it."""
    _require()
    suite = suites.find(wanted.suite)
    with cache.locked():
        wanted_packages = packages.GUEST_PACKAGES, packages.GUEST_UNPACKED
        tree = trees.obtain("guest", Apt(suite), *wanted_packages, thorough=thorough)
        parts = disks.Parts(tree, kernels.obtain(suite, thorough), keys.obtain(thorough))
        disk = disks.obtain_guest(suite, parts, thorough)
        initrd = payload.obtain(parts.kernel, tree, wanted, thorough)
    return GuestImages(disk=disk / disks.DISK, initrd=initrd)
