"""What QEMU's displays make of a pixel that a viewer names, as QEMU's sources have it.

- ui/input.c, qemu_input_scale_axis(p, 0, size, 0, 0x7fff): p * 0x7fff / size, rounded down.
- ui/vnc.c, pointer_event: size is that of the server's own copy of the surface, vnc_width() by
  vnc_height(): the width rounded up to VNC_DIRTY_PIXELS_PER_BIT, both at most VNC_MAX_WIDTH and
  VNC_MAX_HEIGHT. y is not rounded. Seen of QEMU 7.2: 1376 of 1366, 2560 x 2048 of
  3840 x 2160.
- ui/gtk.c, ui/sdl2.c, ui/spice-input.c, ui/dbus-console.c: size is the surface's own.
- hw/display/vga.c, vbe_fixup_regs: the width of the surface is cut to a multiple of 8.
"""

from dataclasses import dataclass

ABS_MAX = 0x7FFF
DIRTY_PIXELS_PER_BIT = 16
OLD_MAX, NEW_MAX = (2560, 2048), (5120, 2160)


@dataclass(frozen=True)
class Display:
    """One that scales by a size in pixels; viewers name pixels of it."""

    width: int
    height: int

    def raw(self, x: int, y: int) -> tuple[int, int]:
        """The raw coordinates that the guest gets for a pixel."""
        return x * ABS_MAX // self.width, y * ABS_MAX // self.height


def vnc(width: int, height: int, most: tuple[int, int] = OLD_MAX) -> Display:
    """The VNC server of a guest with such a surface."""
    padding = -width % DIRTY_PIXELS_PER_BIT
    return Display(min(most[0], width + padding), min(most[1], height))


def window(width: int, height: int) -> Display:
    """GTK's and SDL's window, SPICE and D-Bus."""
    return Display(width, height)


def vga(width: int) -> int:
    """The width of the surface of a VGA card in a mode of `width` pixels."""
    return width & ~7
