"""The host's side of the pointer probe: where a guest's X pointer is, what a window there gets."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import time
from contextlib import suppress
from typing import Any

from testbed.bed import Guest
from testbed.closing import Closing
from testbed.errors import BedError
from testbed.outer import FORWARDS, LineReader
from testbed.payload import PROGRAMS_IN_GUEST
from testbed.rfb import Rfb
from testbed.xserver import on

#: seconds without motion after which a fence finds out whether there is more to come
STILL = 0.2
#: F9 to F12, see testbed/guest/pointer_probe.py
FENCES = range(0xFFC6, 0xFFCA)
#: seconds after which a fence's key is pressed once more: X may not have had the keyboard yet
AGAIN = 1
#: seconds within which the guest answers a question
ANSWER = 60
#: seconds within which a fence comes through, be X ever so slow to find a new keyboard
THROUGH = 120
#: ends a probe, and waits until its port is free
END_ANOTHER = """
pkill -f '[p]ointer_probe'
while pgrep -f '[p]ointer_probe' >/dev/null; do sleep 0.1; done
"""


class Pointer(Closing):
    """A probe that runs in a guest, and a VNC connection that moves the guest's pointer.

    ``screen`` is the X screen's width and height. Events of the probe's window are kept in their
    order until ``events`` hands them out; see testbed/guest/pointer_probe.py for their form. The
    pointer is that of the guest's own X server, or of the one that ``display`` (":1") names.
    """

    def __init__(self, guest: Guest, vnc: Rfb, display: str | None = None) -> None:
        self._vnc = vnc
        port = str(FORWARDS["probe"][1])
        # One whose connection broke, as when the guest was saved, would keep the fences' keys.
        guest.run(["sh", "-c", END_ANOTHER])
        program = ["python3", f"{PROGRAMS_IN_GUEST}/pointer_probe.py", port]
        if display is not None:
            program = on(display, *program)
        self._process = guest.popen(program, stdin=subprocess.DEVNULL)
        try:
            if LineReader.of(self._process).next(time.monotonic() + ANSWER) is None:
                raise BedError("The pointer probe in the guest did not start.")
            self._socket = socket.create_connection(guest.probe_address, ANSWER)
        except OSError as error:  # TimeoutError is one, too
            raise BedError(f"The pointer probe in the guest cannot be reached: {error}.") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = LineReader(self._socket.fileno())
        self._asked = 0
        self._fences = itertools.cycle(FENCES)
        self._events: list[dict[str, Any]] = []
        self.screen = (0, 0)
        #: where the pointer was last said to be
        self.position: tuple[int, int] | None = None
        #: all the pixels that it went to, in their order; whoever wants these clears it first
        self.trail: list[tuple[int, int]] = []
        deadline = time.monotonic() + ANSWER
        while self.screen == (0, 0):
            self._next(deadline)
        self.fence()

    def close(self) -> None:
        """End the probe: it stops when its connection does."""
        self._socket.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _next(self, deadline: float) -> dict[str, Any]:
        """Take in one line; TimeoutError at the deadline."""
        line = self._reader.next(deadline)
        if line is None:
            raise BedError("The pointer probe in the guest ended.")
        facts: dict[str, Any] = json.loads(line)
        kind = facts.get("event")
        if kind == "motion":
            self.position = facts["x"], facts["y"]
            self.trail.append(self.position)
        elif kind == "screen":
            self.screen = facts["width"], facts["height"]
        elif kind is not None and kind != "fence":
            self._events.append(facts)
        return facts

    def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        self._asked += 1
        question = {"ask": what, "id": self._asked, **more}
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        deadline = time.monotonic() + ANSWER
        while True:
            try:
                facts = self._next(deadline)
            except TimeoutError:
                raise BedError("The pointer probe in the guest does not answer.") from None
            if facts.get("answer") == self._asked:
                return facts

    def query(self) -> tuple[int, int]:
        """Where the X server says the pointer is."""
        facts = self._ask("pointer")
        self.position = facts["x"], facts["y"]
        return self.position

    def pressed(self) -> dict[str, Any]:
        """What X has for down: "buttons", as a mask, and "keys"."""
        facts = self._ask("pressed")
        return {name: facts[name] for name in ("buttons", "keys")}

    def keys_do_not_repeat(self) -> None:
        """A key that is held is one press, of all keyboards that there are now."""
        self._ask("once")

    def follow(self, vnc: Rfb) -> None:
        """The VNC client of before is gone with its server: this one moves the pointer."""
        self._vnc = vnc

    def reaches(self, x: int, y: int, seconds: float) -> bool:
        """Put the VNC client's pointer on a pixel; whether the guest's gets there in time."""
        self._vnc.pointer(x, y)
        deadline = time.monotonic() + seconds
        with suppress(TimeoutError):
            while self.position != (x, y):
                self._next(deadline)
        return self.position == (x, y)

    def open_window(self) -> None:
        """Cover the screen with a window that takes clicks and keys, and shows them."""
        self._ask("window")

    def label(self, text: str, colour: int) -> None:
        """Write this beside the marks of presses from now on; a colour is 0xRRGGBB."""
        self._ask("label", text=text, colour=colour)

    def close_window(self) -> None:
        """Take that window away."""
        self._ask("close")

    def move_and_read(self, x: int, y: int, mask: int = 0) -> tuple[int, int]:
        """Put the VNC client's pointer on a pixel; return the pixel the guest's pointer gets to.

        That is at once when it is the same pixel; otherwise when it moves no more.
        """
        before = self.query() if self.position is None else self.position
        self._vnc.pointer(x, y, mask)
        return self.settle((x, y), moved=before != (x, y))

    def settle(self, wanted: tuple[int, int], *, moved: bool = True) -> tuple[int, int]:
        """Wait until the pointer is on a pixel, or does not move any more; say where it is.

        With ``moved`` false it already was there, and only its staying there shows something.
        """
        while not (moved and self.position == wanted):
            try:
                self._next(time.monotonic() + STILL)
            except TimeoutError:
                return self.fence()
        return wanted

    def fence(self) -> tuple[int, int]:
        """Wait until all that the VNC client did before has come through; where the pointer is.

        A key goes the same way as the motion before it, however slow the way is just now. It is a
        new one each time, so that what was pressed again for one fence is not taken for the next.
        """
        keysym = next(self._fences)
        end = time.monotonic() + THROUGH
        while time.monotonic() < end:
            self._vnc.type(keysym)
            with suppress(TimeoutError):
                deadline = time.monotonic() + AGAIN
                while self._next(deadline) != {"event": "fence", "keysym": keysym}:
                    pass
                return self.query()
        raise BedError("A key from the VNC client does not reach the guest's X.")

    def events(self, count: int = 0, timeout: float = 5) -> list[dict[str, Any]]:
        """Hand out the window's events so far, waiting until there are at least ``count``."""
        deadline = time.monotonic() + timeout
        while len(self._events) < count:
            try:
                self._next(deadline)
            except TimeoutError:
                break
        if count == 0:
            self._ask("screen")  # what was on its way comes before the answer
        handed, self._events = self._events, []
        return handed
