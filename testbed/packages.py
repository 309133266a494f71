"""Which Debian packages and kernel modules the images consist of, and where they come from."""

from __future__ import annotations

import re
import subprocess

from testbed.errors import BedError
from testbed.host import call, find_command

SUITE = "bookworm"
KERNEL_METAPACKAGE = "linux-image-amd64"
HYPERVISOR = "xen-hypervisor-4.17-amd64"
BUSYBOX = "busybox-static"

#: in both trees; without usr-is-merged one pulls in Perl only to merge /bin with /usr/bin
COMMON_PACKAGES = ("openssh-server", "usr-is-merged")

#: dom0: toolstack, QEMU as device model, a shell to reach it, Python for test backends
DOM0_PACKAGES = (
    *COMMON_PACKAGES,
    "iproute2",
    "kmod",
    "procps",
    "python3",
    "qemu-system-xen",
    "strace",
    "xen-utils-4.17",
    "xenstore-utils",
)

#: guest: what a Xen guest with an X server has, and the tools to look at input with
GUEST_PACKAGES = (
    *COMMON_PACKAGES,
    "dbus",
    "evtest",
    "iproute2",
    "kmod",
    "libxenstore4",
    "procps",
    "python3",
    "python3-cffi-backend",
    "python3-click",
    "python3-evdev",
    "python3-xlib",
    "strace",
    "systemd-sysv",
    "udev",
    "x11-utils",
    "x11-xserver-utils",
    "xenstore-utils",
    "xfonts-base",
    "xinput",
    "xserver-xorg-core",
    "xserver-xorg-input-evdev",
    "xserver-xorg-input-libinput",
    "xserver-xorg-video-dummy",
    "xserver-xorg-video-fbdev",
)

#: unpacked into the guest's tree without what they depend on: libinput's command needs no GTK
GUEST_UNPACKED = ("libinput-tools",)

#: what xenabs' Debian package is built with, of debian/control's Build-Depends and gcc
BUILD_PACKAGES = (
    "debhelper",
    "dh-python",
    "gcc",
    "pybuild-plugin-pyproject",
    "python3-cffi",
    "python3-dev",
    "python3-setuptools",
    "python3-wheel",
)

#: paths that dpkg leaves out of both trees: nothing reads them there, and they are most of the size
LEFT_OUT = (
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/lib/gcc/*",
    "/usr/lib/x86_64-linux-gnu/dri/*",
    "/usr/lib/x86_64-linux-gnu/libLLVM*",
    "/usr/lib/x86_64-linux-gnu/libz3*",
)

#: modules that dom0's initrd loads, in this order
DOM0_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "ext4",
    "virtio_net",
    "tun",
    "xen-blkback",
    "xen-evtchn",
    "xen-gntalloc",
    "xen-gntdev",
    "xen-netback",
    "xen-privcmd",
    "xenfs",
)
#: modules that a guest's initrd loads for systemd, in this order: a disk and a network
SYSTEMD_GUEST_MODULES = (
    "xen-blkfront",
    "ext4",
    "overlay",
    "xen-netfront",
)
#: modules that a guest's initrd loads where nobody loads others later, in this order
GUEST_MODULES = (
    *SYSTEMD_GUEST_MODULES,
    "xen-evtchn",
    "xen-gntalloc",
    "xen-gntdev",
    "xenfs",
    "evdev",
    "uinput",
)
#: modules that udev loads in a guest that has their device. There are no others on the disk: a
#: crypto module that udev finds, for one, runs self-tests that take minutes here.
GUEST_DEVICE_MODULES = ("bochs", "psmouse")


def apt_sources() -> str:
    """This machine's own apt sources of Debian's suite, as one-line entries for the trees."""
    listed = call(
        [
            "apt-get",
            "indextargets",
            "--format",
            "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
            "Origin: Debian",
        ],
        problem="apt-get cannot list this machine's package sources.",
    ).decode()
    ours = re.compile(rf"deb \S+ {SUITE}(-\S+)? \S+")
    lines = sorted({line for line in listed.splitlines() if ours.fullmatch(line)})
    if not lines:
        raise BedError(
            f"apt knows no package lists of Debian {SUITE} here: run apt-get update first "
            f"(the images are made of {SUITE}'s packages, so its sources must be among apt's)."
        )
    return "\n".join(lines) + "\n"


def candidates(packages: tuple[str, ...]) -> dict[str, str]:
    """Package -> the version apt would install now."""
    said = call(
        ["apt-cache", "policy", *packages], problem="apt-cache cannot tell package versions."
    ).decode()
    versions = dict(re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)", said, re.MULTILINE))
    for package in packages:
        if versions.get(package, "(none)") == "(none)":
            raise BedError(
                f"apt does not know the Debian package {package}: run apt-get update first "
                f"(the sources of Debian {SUITE} must be among apt's)."
            )
    return {package: versions[package] for package in packages}


def kernel_package() -> str:
    """The package that the kernel's metapackage stands for at present."""
    said = subprocess.run(
        [find_command("apt-cache") or "apt-cache", "depends", KERNEL_METAPACKAGE],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"Depends: (linux-image-\d\S+)", said)
    if not found:
        raise BedError(f"apt does not know {KERNEL_METAPACKAGE}: run apt-get update first.")
    return found[1]
