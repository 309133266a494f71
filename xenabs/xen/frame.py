"""The frame number of a page: what QEMU's xenfb backend maps the ring by (key page-ref).

A wrong number hands memory of somebody else to the backend, so nothing is ever guessed: whatever is
not certain is refused with a sentence.
"""

import ctypes
import functools
import mmap
import operator
import os
import struct
from pathlib import Path

from xenabs.errors import XenabsError

GUEST_TYPE = Path("/sys/hypervisor/guest_type")
PAGEMAP = Path("/proc/self/pagemap")
KALLSYMS = Path("/proc/kallsyms")
KCORE = Path("/proc/kcore")

PAGEMAP_PRESENT = 1 << 63
PAGEMAP_SWAPPED = 1 << 62
PAGEMAP_PFN = (1 << 55) - 1
"""Bits of a pagemap entry (Documentation/admin-guide/mm/pagemap.rst)."""

P2M_MARKS = 3 << 62
"""FOREIGN_FRAME_BIT and IDENTITY_FRAME_BIT (arch/x86/include/asm/xen/page.h); an invalid entry has
all bits set. A page of our own carries none."""

PT_LOAD = 1
P_VADDR, P_PADDR = 3, 4
"""Of an ELF program header; /proc/kcore gives p_paddr for RAM and all ones for the rest."""

FRAME_SIZE = 4096
"""Bytes of what Xen and its backends call a frame (XEN_PAGE_SIZE), whatever the kernel's pages."""

WITHOUT_RING = "; the page is not shared by guess"


def frame_number(page: mmap.mmap) -> int:
    """The frame number of our mapping of a page, as this kind of guest counts them.

    PVH and HVM: the guest's own frame number, from pagemap. PV: the machine's, from the kernel's
    p2m table. Raises XenabsError when it cannot be known for certain.
    """
    if mmap.PAGESIZE != FRAME_SIZE:
        # A page has several frames then, and pagemap tells the number of the page.
        raise XenabsError(
            f"this kernel's pages have {mmap.PAGESIZE // 1024}K, and xenabs shares pages of 4K "
            f"only: boot a kernel with 4K pages{WITHOUT_RING}"
        )
    try:
        kind = GUEST_TYPE.read_text().strip()
    except OSError as error:
        raise XenabsError(
            f"{GUEST_TYPE} does not tell the kind of this guest ({error.strerror}): its kernel "
            f"needs CONFIG_XEN_SYS_HYPERVISOR{WITHOUT_RING}"
        ) from error
    pfn = _pfn(page)
    if kind in ("PVH", "HVM"):
        return pfn
    if kind == "PV":
        return _machine_frame(page, pfn)
    raise XenabsError(f"{GUEST_TYPE} says {kind!r}, a kind of guest not known{WITHOUT_RING}")


def _pfn(page: mmap.mmap) -> int:
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    with PAGEMAP.open("rb") as pagemap:
        pagemap.seek(address // mmap.PAGESIZE * 8)
        entry = int.from_bytes(pagemap.read(8), "little")
    pfn = entry & PAGEMAP_PFN
    if not entry & PAGEMAP_PRESENT or entry & PAGEMAP_SWAPPED or not pfn:
        raise XenabsError(f"{PAGEMAP} hides the page's frame: run xenabs as root{WITHOUT_RING}")
    return pfn


def _machine_frame(page: mmap.mmap, pfn: int) -> int:
    symbols = _symbols("xen_p2m_addr", "xen_p2m_size")
    with Kcore() as kcore:
        _check_pfn(kcore, page, pfn)
        table = kcore.word(symbols["xen_p2m_addr"])
        size = kcore.word(symbols["xen_p2m_size"])
        if pfn >= size:
            raise XenabsError(f"frame {pfn:#x} is beyond the p2m table ({size:#x}){WITHOUT_RING}")
        entry = kcore.word(table + 8 * pfn)
    if entry & P2M_MARKS:
        raise XenabsError(f"p2m entry {entry:#x} is not that of a page of ours{WITHOUT_RING}")
    return entry


def _check_pfn(kcore: "Kcore", page: mmap.mmap, pfn: int) -> None:
    """The kernel's own view of the frame shows what we write into the page."""
    mark, end = os.urandom(16), mmap.PAGESIZE - 16
    before = page[end:]
    page[end:] = mark
    seen = kcore.physical(pfn * mmap.PAGESIZE + end, 16)
    page[end:] = before
    if seen != mark:
        raise XenabsError(f"frame {pfn:#x} does not show the page's content{WITHOUT_RING}")


@functools.cache
def _symbols(*names: str) -> dict[str, int]:
    found = {}
    ends = tuple(f" {name}\n".encode() for name in names)
    try:
        with KALLSYMS.open("rb") as lines:
            # There are 100,000 and more, and the time until the pointer works is made of such
            # loops.
            for line in filter(operator.methodcaller("endswith", ends), lines):
                address, _, name = line.split()
                found[name.decode()] = int(address, 16)
                if len(found) == len(names):
                    break
    except OSError as error:
        raise XenabsError(
            f"{KALLSYMS} cannot be read ({error.strerror}): a PV guest needs a kernel with "
            f"CONFIG_KALLSYMS and CONFIG_KALLSYMS_ALL{WITHOUT_RING}"
        ) from error
    missing = [name for name in names if name not in found]
    if missing:
        raise XenabsError(
            f"{KALLSYMS} does not have {' and '.join(missing)}: a PV guest needs a kernel with "
            f"CONFIG_KALLSYMS_ALL, which lists variables too{WITHOUT_RING}"
        )
    hidden = [name for name, address in found.items() if not address]
    if hidden:
        raise XenabsError(
            f"{KALLSYMS} hides where {' and '.join(hidden)} are: run xenabs as root, with sysctl "
            f"kernel.kptr_restrict=1 or 0{WITHOUT_RING}"
        )
    return found


class Kcore:
    """The kernel's memory, read by address through /proc/kcore (an ELF core file)."""

    def __init__(self) -> None:
        try:
            self._fd = os.open(KCORE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise XenabsError(
                f"{KCORE} cannot be read ({error.strerror}): a PV guest needs CONFIG_PROC_KCORE, "
                "root, and no lockdown=confidentiality on its kernel's command line"
                f"{WITHOUT_RING}"
            ) from error
        header = os.pread(self._fd, 64, 0)
        (offset,) = struct.unpack_from("Q", header, 32)
        size, count = struct.unpack_from("HH", header, 54)
        table = os.pread(self._fd, size * count, offset)
        # p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
        self._segments = [struct.unpack_from("IIQQQQQQ", table, i * size) for i in range(count)]

    def __enter__(self) -> "Kcore":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def word(self, address: int) -> int:
        """The 64-bit word at a virtual address."""
        return int.from_bytes(self._read(P_VADDR, address, 8), "little")

    def physical(self, address: int, length: int) -> bytes:
        """Bytes of RAM at the guest's physical address."""
        return self._read(P_PADDR, address, length)

    def _read(self, field: int, address: int, length: int) -> bytes:
        for segment in self._segments:
            kind, offset, start, size = segment[0], segment[2], segment[field], segment[6]
            if kind == PT_LOAD and start <= address and address + length <= start + size:
                data = os.pread(self._fd, length, offset + address - start)
                if len(data) == length:
                    return data
        raise XenabsError(f"{KCORE} does not show address {address:#x}{WITHOUT_RING}")
