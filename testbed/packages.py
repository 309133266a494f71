"""Which Debian packages and kernel modules the images consist of; all suites have these names."""

from __future__ import annotations

KERNEL_METAPACKAGE = "linux-image-amd64"
#: its dependencies have Xen's version in their names
XEN_METAPACKAGE = "xen-system-amd64"
HYPERVISOR, XEN_UTILS = r"xen-hypervisor-\d.*", r"xen-utils-\d.*"
BUSYBOX = "busybox-static"

#: in both trees; without usr-is-merged one pulls in Perl only to merge /bin with /usr/bin
COMMON_PACKAGES = ("openssh-server", "usr-is-merged")

#: dom0, beside XEN_UTILS: QEMU as device model, a shell to reach it, Python for test backends
DOM0_PACKAGES = (
    *COMMON_PACKAGES,
    "iproute2",
    "kmod",
    "procps",
    "python3",
    "qemu-system-xen",
    "strace",
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
    "libc6-dev",
    "make",
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
    "virtio_scsi",
    "sd_mod",
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
