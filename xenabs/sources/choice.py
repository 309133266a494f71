"""Which source a device's events come from."""

import mmap

from xenabs.errors import XenabsError
from xenabs.xen.frame import frame_number

AUTO, RING = "auto", "ring"


def choose(wanted: str) -> tuple[str, str]:
    """The source's name, and why it is that one.

    The ring needs a page whose frame number is certain; one shared with nobody shows whether
    it would be. Raises XenabsError, before anything is taken from anybody, if it is not.
    """
    page = mmap.mmap(-1, mmap.PAGESIZE)
    page[0] = 1
    try:
        frame_number(page)
    except XenabsError as error:
        raise XenabsError(
            f"{error}. The device stays with the kernel's driver: there is no source yet that does "
            "without the ring"
        ) from error
    if wanted == RING:
        return RING, "asked for by --source ring"
    return RING, "the page's frame number is certain, and a guardian outlives a crash"
