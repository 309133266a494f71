"""Runs in the guest: tells the host where the X pointer is, and what a window there gets.

It takes one TCP connection on the port in its argument, and talks in lines of JSON; over ssh each
line would cost as much again as the pointer's whole way. To the host:

    {"event": "screen", "width": W, "height": H}       first of all, and when the size changes
    {"event": "motion", "x": X, "y": Y}                the pointer went to a pixel of the screen
    {"event": "button", "down": true, "button": N, "x": X, "y": Y, "state": S}
    {"event": "key", "down": true, "keysym": K, "text": T}
    {"event": "fence", "keysym": K}                    one of the fences' keys was pressed
    {"answer": ID, ...}                                one for each line from the host

Lines from the host are {"ask": NAME, "id": ID}; NAME is one of

    pointer     answered with x and y as the server says now
    pressed     answered with the "buttons" of X's mask and the "keys" (keycodes) that are down
    once        keys do not repeat while they are held
    screen      answered with width and height
    window      cover the screen with a window that draws a grid, and a mark where a press lands
    label       marks from now on have "text" beside them and "colour" (0xRRGGBB); no answer but ID
    close       take that window away

A button's number and state are X's: 1 left, 2 middle, 3 right, 4 and up the wheels. The window
reports events in the order in which the server sent them. The end of the connection ends the
program.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from typing import Any

from Xlib import X, display

BACKGROUND = 0x305080
GRID = 0x5878A8
MARK = 0xFFD030
#: pixels between the grid's lines, and from a mark's centre to its end
GRID_STEP = 100
MARK_RADIUS = 12
LABEL_FONT = "10x20"
#: the crosshair in X's cursor font
CROSSHAIR = 34
#: F9 to F12: keys that a host presses to learn that all it did before has come through
FENCES = range(0xFFC6, 0xFFCA)
ANY_BUTTON = X.Button1Mask | X.Button2Mask | X.Button3Mask | X.Button4Mask | X.Button5Mask
STRUCTURE = X.StructureNotifyMask
WINDOW_EVENTS = (
    X.ButtonPressMask
    | X.ButtonReleaseMask
    | X.KeyPressMask
    | X.KeyReleaseMask
    | X.PointerMotionMask
    | X.ExposureMask
)


class Probe:
    """The X connection, and the window when there is one."""

    def __init__(self, host: socket.socket) -> None:
        self.host = host
        self.display = display.Display()
        self.root = self.display.screen().root
        self.window: Any = None
        self.label, self.colour = "", MARK
        self.marks: list[tuple[int, int, str, int]] = []
        # The pointer is over no window of ours or over our window: both report its motion.
        self.root.change_attributes(event_mask=X.PointerMotionMask | STRUCTURE)
        self.size = self._size()
        self.fences = {self.display.keysym_to_keycode(keysym): keysym for keysym in FENCES}
        for keycode in self.fences:
            self.root.grab_key(keycode, X.AnyModifier, False, X.GrabModeAsync, X.GrabModeAsync)
        self._tell(event="screen", width=self.size[0], height=self.size[1])

    def _tell(self, **facts: Any) -> None:
        """Send one line to the host."""
        self.host.sendall(json.dumps(facts).encode() + b"\n")

    def _size(self) -> tuple[int, int]:
        geometry = self.root.get_geometry()
        return geometry.width, geometry.height

    def run(self) -> None:
        """Serve X and the host until the host ends."""
        unread = b""
        while True:
            self._events()
            ready = select.select([self.display.fileno(), self.host], [], [])[0]
            if self.host in ready:
                data = self.host.recv(65536)
                if not data:
                    return
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    self._answer(json.loads(line))

    def _answer(self, question: dict[str, Any]) -> None:
        facts: dict[str, Any] = {}
        if question["ask"] == "pointer":
            pointer = self.root.query_pointer()
            # Motion that the server sent before this answer is told before it.
            self._events()
            facts = {"x": pointer.root_x, "y": pointer.root_y}
        elif question["ask"] == "pressed":
            keymap = self.display.query_keymap()
            facts = {
                "buttons": self.root.query_pointer().mask & ANY_BUTTON,
                "keys": [key for key in range(256) if keymap[key // 8] >> key % 8 & 1],
            }
        elif question["ask"] == "once":
            self.display.change_keyboard_control(auto_repeat_mode=X.AutoRepeatModeOff)
            self.display.sync()
        elif question["ask"] == "screen":
            facts = dict(zip(("width", "height"), self._size(), strict=True))
        elif question["ask"] == "window":
            self._open()
        elif question["ask"] == "label":
            self.label, self.colour = question["text"], question["colour"]
        elif question["ask"] == "close":
            self._close()
        else:
            facts = {"error": f"unknown question {question['ask']!r}"}
        self._tell(answer=question["id"], **facts)

    def _open(self) -> None:
        self._close()
        width, height = self._size()
        screen = self.display.screen()
        self.window = self.root.create_window(
            *(0, 0, width, height, 0, screen.root_depth),
            X.InputOutput,
            X.CopyFromParent,
            override_redirect=1,
            background_pixel=BACKGROUND,
            event_mask=WINDOW_EVENTS,
        )
        self.grid = self.window.create_gc(foreground=GRID)
        self.mark = self.window.create_gc(foreground=MARK, line_width=2)
        if LABEL_FONT in self.display.list_fonts(LABEL_FONT, 1):
            self.mark.change(font=self.display.open_font(LABEL_FONT))
        font = self.display.open_font("cursor")
        if font is not None:
            white, black = (65535, 65535, 65535), (0, 0, 0)
            cursor = font.create_glyph_cursor(font, CROSSHAIR, CROSSHAIR + 1, white, black)
            self.window.change_attributes(cursor=cursor)
        self.window.set_wm_name("pointer probe")
        self.window.map()
        # It can only be given the focus once it is on the screen.
        while self.display.next_event().type != X.Expose:
            pass
        self.window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self._draw()
        self.display.sync()

    def _close(self) -> None:
        if self.window is not None:
            self.window.destroy()
            self.display.sync()
            self.window = None
            self.marks.clear()

    def _draw(self) -> None:
        width, height = self.size
        for x in range(0, width, GRID_STEP):
            self.window.line(self.grid, x, 0, x, height)
        for y in range(0, height, GRID_STEP):
            self.window.line(self.grid, 0, y, width, y)
        for mark in self.marks:
            self._draw_mark(*mark)

    def _draw_mark(self, x: int, y: int, label: str, colour: int) -> None:
        radius = MARK_RADIUS
        self.mark.change(foreground=colour)
        self.window.line(self.mark, x - radius, y, x + radius, y)
        self.window.line(self.mark, x, y - radius, x, y + radius)
        self.window.arc(self.mark, x - radius, y - radius, 2 * radius, 2 * radius, 0, 360 * 64)
        if label:
            self.window.draw_text(self.mark, x + 2 * radius, y + radius // 2, label.encode())

    def _events(self) -> None:
        while self.display.pending_events():
            self._event(self.display.next_event())

    def _event(self, event: Any) -> None:
        if event.type == X.MotionNotify:
            # By far the most frequent line, so it is not left to the JSON encoder.
            line = b'{"event": "motion", "x": %d, "y": %d}\n'
            self.host.sendall(line % (event.root_x, event.root_y))
        elif event.type in (X.ButtonPress, X.ButtonRelease):
            down = event.type == X.ButtonPress
            place = {"x": event.root_x, "y": event.root_y}
            self._tell(event="button", down=down, button=event.detail, state=event.state, **place)
            if down and event.detail <= 3:
                self.marks.append((event.root_x, event.root_y, self.label, self.colour))
                self._draw_mark(*self.marks[-1])
                self.display.flush()
        elif event.type in (X.KeyPress, X.KeyRelease) and event.detail in self.fences:
            if event.type == X.KeyPress:
                self._tell(event="fence", keysym=self.fences[event.detail])
        elif event.type in (X.KeyPress, X.KeyRelease):
            shifted = bool(event.state & X.ShiftMask)
            keysym = self.display.keycode_to_keysym(event.detail, int(shifted))
            text = self.display.lookup_string(keysym) or ""
            self._tell(event="key", down=event.type == X.KeyPress, keysym=keysym, text=text)
        elif event.type == X.Expose and self.window is not None and event.count == 0:
            self._draw()
            self.display.flush()
        elif event.type == X.ConfigureNotify and event.window == self.root:
            self.size = self._size()
            self._tell(event="screen", width=self.size[0], height=self.size[1])


def main() -> None:
    """Listen, say so on stdout, and serve the host that connects."""
    with socket.create_server(("", int(sys.argv[1]))) as server:
        print("listening", flush=True)
        connection = server.accept()[0]
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Probe(connection).run()


if __name__ == "__main__":
    main()
