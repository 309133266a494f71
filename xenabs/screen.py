"""The guest's screen: how many pixels it has just now, from what shows it.

That is the framebuffer "xen" of a PV or PVH guest (xen-fbfront), or the display controller of an
HVM guest, which DRM tells of.
"""

import array
import contextlib
import fcntl
import logging
import os
import struct
from collections.abc import Callable
from pathlib import Path

from xenabs.geometry import Screen, screen_of

log = logging.getLogger(__name__)

GRAPHICS = Path("/sys/class/graphics")
CARDS = Path("/sys/class/drm")
NODES = Path("/dev/dri")

EMULATED = frozenset(
    {
        ("0x1234", "0x1111"),  # QEMU's standard VGA, and bochs-display
        ("0x1013", "0x00b8"),  # Cirrus
        ("0x1b36", "0x0100"),  # QXL
        ("0x1af4", "0x1050"),  # virtio-gpu, virtio-vga
        ("0x15ad", "0x0405"),  # VMware's SVGA
    }
)
"""PCI vendor and device of the display controllers that QEMU emulates (docs/specs/pci-ids.rst, and
hw/display/ in its sources). A card that the host passes through has a monitor of its own."""

# drm/drm_mode.h of Linux.
CARD_RESOURCES = struct.Struct("=4Q8I")
"""drm_mode_card_res: addresses of the ids of framebuffers, CRTCs, connectors and encoders; how many
there are of each; the least and the largest width and height."""
CRTC = struct.Struct("=Q7I I10H3I32s")
"""drm_mode_crtc: connectors' address and count, id, framebuffer, x, y, gamma's size, whether there
is a mode; of the mode (drm_mode_modeinfo) the clock, 5 horizontal and 5 vertical numbers, the size
first of either; refresh rate, flags, type, name."""

# drm/drm.h: _IO('d', 0x1f), _IOWR('d', 0xa0, struct drm_mode_card_res), _IOWR('d', 0xa1, ...crtc).
DROP_MASTER = 0x641F
GET_RESOURCES = 0xC00064A0 | CARD_RESOURCES.size << 16
GET_CRTC = 0xC00064A1 | CRTC.size << 16

Ioctl = Callable[[int, int, bytearray], object]


def _ioctl(fd: int, request: int, data: bytearray) -> object:
    return fcntl.ioctl(fd, request, data)


class GuestScreen:
    """The screen as it was when it was last looked at."""

    def __init__(self) -> None:
        self.told: tuple[int, int] | None = None
        """The size in pixels that the backend tells of, if it does: then it is that."""
        self.size: tuple[int, int] | None = None
        """The size in pixels, None if nothing told it."""

    def look(self) -> Screen:
        """Find out the size, and return it with the sizes by which it may be scaled."""
        found = self.told or size()
        if found != self.size:
            log.info("the screen is %s", "{} x {} pixels".format(*found) if found else "not known")
            self.size = found
        return screen_of(found)


def size() -> tuple[int, int] | None:
    """Return the screen's width and height in pixels now, None if nothing tells them."""
    return framebuffer_size() or display_size()


def framebuffer_size(graphics: Path = GRAPHICS) -> tuple[int, int] | None:
    """Return width and height in pixels of Xen's own framebuffer, None if the guest has none."""
    for name in sorted(graphics.glob("fb*/name")):
        try:
            if name.read_text().strip() == "xen":
                width, height = name.with_name("virtual_size").read_text().split(",")
                return int(width), int(height)
        except (OSError, ValueError):
            continue  # it is going away
    return None


def display_size(
    cards: Path = CARDS, nodes: Path = NODES, ioctl: Ioctl = _ioctl
) -> tuple[int, int] | None:
    """Return width and height in pixels of the mode that the host's display for us is in.

    None if there is no such display, or it is off. A card that goes away meanwhile, as the
    firmware's does when its own driver comes, is left out.
    """
    for card in sorted(cards.glob("card[0-9]*")):
        if card.name[4:].isdecimal() and _is_hosts(card / "device"):
            try:
                found = _mode(nodes / card.name, ioctl)
            except OSError:
                continue
            if found:
                return found
    return None


def _is_hosts(device: Path) -> bool:
    """Return whether a card's device is the host's: emulated, of Xen, or what a firmware left."""
    try:
        bus = (device / "subsystem").resolve().name
        if bus == "pci":
            ids = [(device / name).read_text().strip() for name in ("vendor", "device")]
            return tuple(ids) in EMULATED
    except OSError:
        return False
    return bus in ("xen", "platform")


def _mode(node: Path, ioctl: Ioctl) -> tuple[int, int] | None:
    # Whoever opens a card that has no master becomes it, and no display server could meanwhile: so
    # nothing comes between the two calls. Nothing is kept open either: the kernel gives the screen
    # back to the console when the last one closes the card.
    fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # another process is the master
            ioctl(fd, DROP_MASTER, bytearray())
        for crtc in _crtcs(fd, ioctl):
            data = bytearray(CRTC.pack(0, 0, crtc, *[0] * 5, *[0] * 14, b""))
            ioctl(fd, GET_CRTC, data)
            fields = CRTC.unpack(data)
            valid, width, height = fields[7], fields[9], fields[14]
            if valid and width and height:
                return width, height
        return None
    finally:
        os.close(fd)


def _crtcs(fd: int, ioctl: Ioctl) -> list[int]:
    """Return the ids of a card's CRTCs, in its order: the first is what a viewer is shown."""
    data = bytearray(CARD_RESOURCES.size)
    ioctl(fd, GET_RESOURCES, data)
    count = CARD_RESOURCES.unpack(data)[5]
    ids = array.array("I", [0] * count)
    data[:] = CARD_RESOURCES.pack(0, ids.buffer_info()[0], 0, 0, 0, count, *[0] * 6)
    ioctl(fd, GET_RESOURCES, data)
    return ids.tolist()[: CARD_RESOURCES.unpack(data)[5]]
