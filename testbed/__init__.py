"""A test bed for Xen guests' pointers: a real Xen, booted in a QEMU that needs no KVM.

    host:  outer QEMU (TCG) -- Xen -- dom0 -- device model (QEMU) with the VNC server
                                  \\-- guest: X server, xenabs or the kernel's driver

``python -m testbed up --guest pv`` builds what is missing, boots it and says where the VNC server
is; ``sh``, ``put``, ``shot`` and ``down`` do what their names say. Tests, the demo and the
benchmarks use the same through Python:

    from testbed import Bed, Wanted
    from testbed.probe import Pointer

    with Bed() as bed:                                # boots Xen and dom0, unless they are up
        guest = bed.start_guest(Wanted(kind="pvh", size=(800, 600)))
        guest.run(["xenabs", "status"])
        with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
            assert pointer.move_and_read(100, 200) == (100, 200)

How it is put together, from the ground up:

    errors, progress, host, places, closing, lock
                                     a failure in one sentence; words for who waits; commands of
                                     this machine; where cache and state are; what ends with a
                                     with statement; what one process does at a time
    cache                            built artefacts, named by a hash of what went into them
    suites, packages, keys           which suites of Debian; which packages and modules; the ssh key
                                     of the bed
    apt                              Debian's archive for a suite, from this machine's mirror
    hypervisor, kernels, trees       Xen, kernel and modules out of their packages; Debian trees
    initrd, disks, wheel, deb, payload
                                     what is booted: dom0's and the guest's disk are ext4 images
                                     of packages only; the guest's has its kernel, too. Our files
                                     and xenabs come in the guest's
                                     initrd, which lays them over the read-only disk. With systemd
                                     xenabs is what apt makes of its Debian package in the guest's
                                     tree, otherwise its wheel
    images                           all of these, brought up to date
    monitor, outer, remote           the outer QEMU as a background process, in which guests' disks
                                     are plugged when they are wanted; ssh into it
    domain, bed                      xl's configuration of a guest; Bed and Guest
    backend                          the guest's device model killed, its vkbd detached
    rfb, probe                       a VNC client; where the guest's X pointer is
    conversation, processes          a program in a guest, asked from here; xenabs' processes there,
                                     killed and looked at
    xserver, mouse, tablet           further X servers in a guest, and what points there: relative
                                     mice, a second tablet
    overlay/                         files of dom0, of the guest and of both initrds
    guest/                           programs that run in the guest

A guest starts from a pristine disk each time, since what it writes goes to memory. One guest runs
at a time; the next one, of whatever suite, takes its place. Xen and dom0 stay up in between.

Environment: XENABS_CACHE is the directory of built artefacts (else XDG_CACHE_HOME/xenabs, else
~/.cache/xenabs), XENABS_TESTBED that of the running bed; beds in different directories do not
disturb each other.
"""

from testbed.bed import Bed, Guest
from testbed.domain import Wanted
from testbed.errors import BedError

__all__ = ["Bed", "BedError", "Guest", "Wanted"]
