"""A page granted to another domain, through /dev/xen/gntalloc (ioctl of xen/gntalloc.h)."""

import fcntl
import mmap
import os
import struct

from xenabs.errors import XenabsError
from xenabs.kbdif.ring import PAGE_SIZE
from xenabs.xen.device_node import open_node

NODE = "/dev/xen/gntalloc"
IOCTL_ALLOC_GREF = 0x184705
"""_IOC(_IOC_NONE, 'G', 5, 24) with the struct below."""
ALLOC_GREF = struct.Struct("HHIQII")
"""u16 domain, u16 flags, u32 count; answers u64 offset to map at, u32 grant reference (padded)."""
FLAG_WRITABLE = 1


class Grant:
    """A page that another domain may map and write to; `page` is our own mapping of it."""

    def __init__(self, fd: int, offset: int, reference: int) -> None:
        """Map what stands at `offset` of gntalloc's descriptor `fd`. Raises OSError if nothing."""
        self.fd, self.offset, self.reference = fd, offset, reference
        self.page = mmap.mmap(fd, PAGE_SIZE, offset=offset)

    @classmethod
    def to(cls, domain: int) -> "Grant":
        """Return a new, zeroed page for `domain`, 0..65535.

        Raises XenabsError without the module or the right, or when there is none left.
        """
        fd = open_node(NODE, "xen-gntalloc")
        request = bytearray(ALLOC_GREF.pack(domain, FLAG_WRITABLE, 1, 0, 0, 0))
        try:
            fcntl.ioctl(fd, IOCTL_ALLOC_GREF, request)
        except OSError as error:
            os.close(fd)
            raise XenabsError(
                f"no page can be granted to domain {domain} ({error.strerror}): see the parameter "
                "limit of the module xen_gntalloc, and dmesg"
            ) from error
        *_, offset, reference, _ = ALLOC_GREF.unpack(request)
        return cls(fd, offset, reference)

    def close(self) -> None:
        """Give the page back to the kernel. Only when the other domain has let go of it."""
        self.page.close()
        os.close(self.fd)
