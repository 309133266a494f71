"""An event channel, through /dev/xen/evtchn (ioctls of the kernel's header xen/evtchn.h)."""

import fcntl
import os
import struct

from xenabs.errors import XenabsError

NODE = "/dev/xen/evtchn"
IOCTL_BIND_UNBOUND_PORT = 0x44502
"""_IOC(_IOC_NONE, 'E', 2, 4): struct { u32 remote_domain }, answers the local port."""


class EventChannel:
    """A port that one other domain may bind to; `fd` gives u32 ports that fired, takes those to
    unmask."""

    def __init__(self, domain: int) -> None:
        """Allocate a port for `domain`. Raises XenabsError without the module or the right."""
        try:
            self.fd = os.open(NODE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise XenabsError(f"{NODE} is missing: modprobe xen-evtchn") from error
        except PermissionError as error:
            raise XenabsError(f"{NODE} is open to root only: run xenabs as root") from error
        request = bytearray(struct.pack("I", domain))
        self.port: int = fcntl.ioctl(self.fd, IOCTL_BIND_UNBOUND_PORT, request)

    def close(self) -> None:
        """Close the port."""
        os.close(self.fd)
