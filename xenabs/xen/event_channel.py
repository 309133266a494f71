"""An event channel, through /dev/xen/evtchn (ioctls of the kernel's header xen/evtchn.h)."""

import fcntl
import os
import struct

from xenabs.errors import XenabsError
from xenabs.xen.device_node import open_node

NODE = "/dev/xen/evtchn"
IOCTL_BIND_UNBOUND_PORT = 0x44502
"""_IOC(_IOC_NONE, 'E', 2, 4): struct { u32 remote_domain }, answers the local port."""


class EventChannel:
    """A port that one other domain may bind to; `fd` gives u32 ports that fired, takes those to
    unmask."""

    def __init__(self, fd: int, port: int) -> None:
        self.fd, self.port = fd, port

    @classmethod
    def to(cls, domain: int) -> "EventChannel":
        """Return a new port for `domain`.

        Raises XenabsError without the module or the right, or when there is none left.
        """
        fd = open_node(NODE, "xen-evtchn")
        request = bytearray(struct.pack("I", domain))
        try:
            return cls(fd, fcntl.ioctl(fd, IOCTL_BIND_UNBOUND_PORT, request))
        except OSError as error:
            os.close(fd)
            raise XenabsError(
                f"no event channel to domain {domain} can be made ({error.strerror}): see dmesg"
            ) from error

    def unmask(self) -> None:
        """Let the port fire again, though a process may have died between its read and write."""
        os.write(self.fd, struct.pack("I", self.port))

    def close(self) -> None:
        """Close the port."""
        os.close(self.fd)
