"""What must be there before a device is taken from the kernel's driver."""

import os
from collections.abc import Sequence

from xenabs.errors import XenabsError
from xenabs.xen import event_channel, grant
from xenabs.xen.device_node import open_node

NODES = (
    (grant.NODE, "xen-gntalloc"),
    (event_channel.NODE, "xen-evtchn"),
    ("/dev/uinput", "uinput"),
)
"""Each device node that a daemon opens sooner or later, and the kernel's module that makes it.

Not /dev/xen/xenbus, which no module makes: `Store` opens it, or what older kernels have instead.
"""


def require(nodes: Sequence[tuple[str, str]] = NODES) -> None:
    """See that each device node can be opened to read and write; take nothing.

    Whether there is a grant and an event channel left is seen only when they are made. Raises
    XenabsError that names all modules to load, the missing right, or what the kernel says.
    """
    missing = [(path, module) for path, module in nodes if not os.path.exists(path)]
    if missing:
        paths = " and ".join(path for path, _ in missing)
        modules = " ".join(module for _, module in missing)
        raise XenabsError(
            f"missing: {paths}: modprobe -a {modules} (in a Xen guest; the kernel needs them)"
        )
    for path, module in nodes:
        os.close(open_node(path, module))
