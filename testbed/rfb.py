"""A small VNC client: RFB protocol 3.8 (RFC 6143), no password, raw pixels."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from testbed.closing import Closing
from testbed.errors import BedError

if TYPE_CHECKING:
    from PIL.Image import Image

#: bits of a pointer message's button mask
LEFT, MIDDLE, RIGHT, WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = (1 << bit for bit in range(7))

RAW = 0
DESKTOP_SIZE = -223
#: 32 bits a pixel, depth 24, little endian, true colour, bytes blue green red unused
PIXEL_FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
BYTES_PER_PIXEL = 4


class Rfb(Closing):
    """A connection to a VNC server.

    ``width`` and ``height`` are the server's screen in pixels; they follow when it is resized.
    """

    def __init__(self, host: str, port: int, timeout: float = 20) -> None:
        self._timeout = timeout
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet()
        except (OSError, EOFError) as error:
            raise BedError(f"No VNC server answers at {host}:{port} ({error}).") from None

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _greet(self) -> None:
        if not self._receive(12).startswith(b"RFB 003."):
            raise OSError("it does not speak RFB 3")
        self._socket.sendall(b"RFB 003.008\n")
        kinds = self._receive(self._receive(1)[0])
        if 1 not in kinds:
            raise OSError("it asks for a password")
        self._socket.sendall(b"\x01")
        if struct.unpack(">I", self._receive(4))[0]:
            raise OSError("it refuses us")
        self._socket.sendall(b"\x01")  # others may stay connected
        self.width, self.height = struct.unpack(">HH", self._receive(4))
        self._receive(16)
        self._receive(struct.unpack(">I", self._receive(4))[0])
        self._socket.sendall(b"\x00\0\0\0" + PIXEL_FORMAT)
        # QEMU decides whether positions are absolute when it gets the encodings: without them it
        # drops all motion.
        self._socket.sendall(struct.pack(">BxHii", 2, 2, RAW, DESKTOP_SIZE))

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise EOFError("the connection ended")
            data += part
        return bytes(data)

    def pointer(self, x: int, y: int, mask: int = 0) -> None:
        """Say that the pointer is at x, y (0..65535, also outside the screen), buttons in mask."""
        self._socket.sendall(struct.pack(">BBHH", 5, mask, x, y))

    def pointers(self, *messages: tuple[int, int, int]) -> None:
        """Send pointer messages of x, y and mask at once: the guest has them in one burst."""
        self._socket.sendall(
            b"".join(struct.pack(">BBHH", 5, mask, x, y) for x, y, mask in messages)
        )

    def click(self, x: int, y: int, mask: int = LEFT) -> None:
        """Press and release at a place."""
        self.pointer(x, y, mask)
        self.pointer(x, y, 0)

    def key(self, keysym: int, down: bool) -> None:
        """Press or release a key, named by its X keysym."""
        self._socket.sendall(struct.pack(">BBHI", 4, down, 0, keysym))

    def type(self, keysym: int) -> None:
        """Press and release a key."""
        self.key(keysym, True)
        self.key(keysym, False)

    @property
    def size(self) -> tuple[int, int]:
        """The screen's width and height in pixels, as last told by the server."""
        return self.width, self.height

    def sync(self) -> None:
        """Return when the server has dealt with all that was sent before."""
        self._request(1, 1)
        self._update(None)

    def framebuffer(self) -> Image:
        """The whole screen as an RGB picture."""
        from PIL import Image

        deadline = time.monotonic() + self._timeout
        while True:
            canvas = _Canvas(self.width, self.height)
            self._request(self.width, self.height)
            while not canvas.complete:
                if time.monotonic() > deadline:
                    raise BedError("The VNC server did not send the whole screen.")
                if not self._update(canvas):
                    break  # resized meanwhile: ask again
            else:
                size = (canvas.width, canvas.height)
                return Image.frombytes("RGB", size, bytes(canvas.pixels), "raw", "BGRX")

    def _request(self, width: int, height: int) -> None:
        """Ask for an update of the screen's top left part, whether it has changed or not."""
        self._socket.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))

    def _update(self, canvas: _Canvas | None) -> bool:
        """Read messages up to and with one framebuffer update; False if it was a resize."""
        while True:
            kind = self._receive(1)[0]
            if kind == 0:
                return self._rectangles(canvas)
            if kind == 1:  # colour map: not in true colour, but harmless
                count = struct.unpack(">3xHH", self._receive(5 + 2))[1]
                self._receive(6 * count)
            elif kind == 3:  # clipboard
                self._receive(struct.unpack(">3xI", self._receive(7))[0])
            elif kind != 2:  # 2 is the bell, and has nothing more to it
                raise BedError(f"The VNC server sent a message of unknown type {kind}.")

    def _rectangles(self, canvas: _Canvas | None) -> bool:
        same_size = True
        for _ in range(struct.unpack(">xH", self._receive(3))[0]):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self._receive(12))
            if encoding == DESKTOP_SIZE:
                if (width, height) != self.size:
                    self.width, self.height = width, height
                    same_size = False
                continue
            if encoding != RAW:
                raise BedError(f"The VNC server sent pixels in unknown encoding {encoding}.")
            data = self._receive(width * height * BYTES_PER_PIXEL)
            if canvas is not None and same_size:
                canvas.paint(x, y, width, height, data)
        return same_size


class _Canvas:
    """Pixels gathered from the rectangles of one or more updates."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.pixels = bytearray(width * height * BYTES_PER_PIXEL)
        self._painted = bytearray(width * height)

    @property
    def complete(self) -> bool:
        return 0 not in self._painted

    def paint(self, x: int, y: int, width: int, height: int, data: bytes) -> None:
        width_here = min(width, self.width - x)
        for row in range(min(height, self.height - y)):
            start = (y + row) * self.width + x
            source = row * width * BYTES_PER_PIXEL
            end = source + width_here * BYTES_PER_PIXEL
            self.pixels[start * BYTES_PER_PIXEL : (start + width_here) * BYTES_PER_PIXEL] = data[
                source:end
            ]
            self._painted[start : start + width_here] = b"\1" * width_here
