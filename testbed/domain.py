"""What a guest is to be, and the xl configuration that makes it so."""

from __future__ import annotations

from dataclasses import dataclass

from testbed import suites

KINDS = ("pv", "pvh", "hvm")
INITS = ("tiny", "systemd")
#: the program a guest's initrd hands over to
INIT_PATHS = {"tiny": "/usr/lib/testbed/init", "systemd": "/usr/lib/systemd/systemd"}
#: paths on the guest's disk; an HVM guest's firmware boots a PC's kernel only
KERNELS = {"pv": "boot/vmlinux", "pvh": "boot/vmlinux", "hvm": "boot/vmlinuz"}
#: where dom0 has the guest's disk mounted while xl starts the guest
MOUNTED = "/run/testbed/disk"


@dataclass(frozen=True)
class Wanted:
    """One guest: its kind, screen, init, pointer driver, and what a test wants otherwise."""

    kind: str = "pv"
    #: screen in pixels: width, height
    size: tuple[int, int] = (1280, 800)
    init: str = "tiny"
    #: what its packages and kernel are of, see testbed.suites
    suite: str = suites.DEFAULT
    #: the suite that its Debian package of xenabs was built in; None for its own
    package_of: str | None = None
    #: True leaves vkbd to the kernel's driver; False runs xenabs. With systemd xenabs is its Debian
    #: package, and not installed if it does not run.
    kernel_driver: bool = False
    name: str = "guest"
    #: MiB
    memory: int = 768
    vcpus: int = 1
    #: further words for the guest kernel's command line
    append: str = ""
    #: further lines of xl configuration
    options: tuple[str, ...] = ()


def kernel_arguments(wanted: Wanted) -> str:
    """Return the command line of a guest's kernel."""
    width, height = wanted.size
    words = [
        "console=hvc0",
        "net.ifnames=0",
        "mitigations=off",
        "testbed.root=/dev/xvda",
        "testbed.pristine",
        f"testbed.init={INIT_PATHS[wanted.init]}",
        # systemd's moving stars on a console cost more here than the boot they tell of
        "systemd.show_status=error",
    ]
    if wanted.kind == "hvm":
        words.append(f"video={width}x{height}")
    else:
        mebibytes = -(-width * height * 4 // (1 << 20))
        words.append(f"xen_fbfront.video={mebibytes},{width},{height}")
    if not wanted.kernel_driver:
        words.append("testbed.xenabs")
    if wanted.kind != "pv":
        words += suites.find(wanted.suite).virtual_cpu_words.split()
    return " ".join([*words, *wanted.append.split()])


def configuration(wanted: Wanted, disk: str, initrd: str) -> str:
    """Return the file for xl create; ``disk`` and ``initrd`` are paths in dom0."""
    # An HVM guest's emulated IDE disk cannot be read-only; the initrd mounts it so all the same.
    access = "rw" if wanted.kind == "hvm" else "ro"
    vnc = {"vnc": "1", "vnclisten": "0.0.0.0", "vncdisplay": "0", "vncpasswd": ""}
    lines = [
        f'name="{wanted.name}"',
        f'type="{wanted.kind}"',
        f'kernel="{MOUNTED}/{KERNELS[wanted.kind]}"',
        f'ramdisk="{initrd}"',
        f'extra="{kernel_arguments(wanted)}"',
        f"memory={wanted.memory}",
        f"vcpus={wanted.vcpus}",
        f"disk=['format=raw,vdev=xvda,access={access},script=block-testbed,target={disk}']",
        # type=vif: an HVM guest gets no emulated network card besides, whose firmware takes time
        "vif=['script=vif-testbed,type=vif']",
        'on_crash="destroy"',
        'on_reboot="destroy"',
    ]
    if wanted.kind == "hvm":
        lines += [
            *(f'{name}="{value}"' for name, value in vnc.items() if name != "vncdisplay"),
            "vncdisplay=0",
            'vga="stdvga"',
            # To Linux, QEMU's CPU is an AMD of family 15, which may have an AGP aperture: it looks
            # for it on 256 buses, port by port, for over a minute. Family 23 (Zen) has none.
            'cpuid="host,family=23"',
        ]
    else:
        lines.append(f"vfb=['{','.join(f'{name}={value}' for name, value in vnc.items())}']")
    if wanted.kind != "pv":
        # Without it Xen intercepts RDTSCP, which QEMU's SVM reports in a way that kills the guest.
        lines.append('tsc_mode="native"')
    return "\n".join([*lines, *wanted.options]) + "\n"
