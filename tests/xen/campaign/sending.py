"""Input of a VNC client, and what a window of the guest must get of it."""

from __future__ import annotations

import random
import threading
import time

from pointing import Pixel

from testbed.probe import Pointer
from testbed.rfb import LEFT, WHEEL_DOWN, WHEEL_UP, Rfb

Click = tuple[int, bool, Pixel]
Key = tuple[int, bool]

WHEELS = {4: WHEEL_UP, 5: WHEEL_DOWN}
"""The mask of X's button."""

ROOM = 45
"""Ring entries of one burst; the ring has room for 51, and a position or two may be in it."""


class Wrong(Exception):
    """What a campaign may not see."""


def expect(what: str, seen: object, wanted: object) -> None:
    """Raise Wrong unless they are equal."""
    if seen != wanted:
        raise Wrong(f"{what}:\n  seen    {seen}\n  wanted  {wanted}")


class Sent:
    """What was sent, as the window must tell of it."""

    def __init__(self, pointer: Pointer, vnc: Rfb, chance: random.Random) -> None:
        self._pointer, self._vnc, self._chance = pointer, vnc, chance
        self._place: Pixel = (0, 0)
        self.clicks: list[Click] = []
        self.keys: list[Key] = []

    def pixel(self) -> Pixel:
        """Another one than the last."""
        width, height = self._pointer.screen
        place = self._place
        while place == self._place:
            place = self._chance.randrange(width), self._chance.randrange(height)
        self._place = place
        return place

    def move(self, mask: int = 0) -> int:
        """Go somewhere; the number of ring entries, as of each of these."""
        self._vnc.pointer(*self.pixel(), mask)
        return 1

    def turn(self) -> int:
        """One step of the wheel, somewhere."""
        button, mask = self._chance.choice(list(WHEELS.items()))
        place = self.pixel()
        self._vnc.click(*place, mask)
        self.clicks += [(button, True, place), (button, False, place)]
        return 2

    def type(self) -> int:
        """A letter."""
        keysym = self._chance.randrange(ord("a"), ord("z") + 1)
        self._vnc.type(keysym)
        self.keys += [(keysym, True), (keysym, False)]
        return 2

    def press(self) -> Pixel:
        """Press the left button somewhere."""
        place = self.pixel()
        self._vnc.pointer(*place, LEFT)
        self.clicks.append((1, True, place))
        return place

    def release(self) -> Pixel:
        """Release the left button somewhere."""
        place = self.pixel()
        self._vnc.pointer(*place, 0)
        self.clicks.append((1, False, place))
        return place

    def burst(self, room: int, seconds: float = 0.0) -> int:
        """A mixture of at most so many ring entries, over about so many seconds."""
        entries = 0
        while entries < room - 1:
            one = self._chance.choice((self.move, self.move, self.turn, self.turn, self.type))
            entries += one()
            time.sleep(self._chance.uniform(0, 4 * seconds / room))
        return entries

    def check(self) -> None:
        """All that was sent, and nothing else, has come to the window in its order.

        Pointer and keyboard are two devices: X reads them in the order that it likes.
        """
        self._pointer.fence()
        clicks: list[Click] = []
        keys: list[Key] = []
        for event in self._pointer.events():
            if event["event"] == "button":
                clicks.append((event["button"], event["down"], (event["x"], event["y"])))
            elif event["event"] == "key":
                keys.append((event["keysym"], event["down"]))
        expect("button and wheel events of the window", clicks, self.clicks)
        expect("key events of the window", keys, self.keys)


class Stirring:
    """Motion all the time, from a thread; meanwhile nobody else may use the connection."""

    PACE = 0.02

    def __init__(self, vnc: Rfb, chance: random.Random, mask: int = 0) -> None:
        self._vnc, self._chance, self._mask = vnc, random.Random(chance.random()), mask
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._stir)

    def __enter__(self) -> Stirring:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _stir(self) -> None:
        width, height = self._vnc.size
        while not self._end.wait(self.PACE):
            place = self._chance.randrange(width), self._chance.randrange(height)
            try:
                self._vnc.pointer(*place, self._mask)
            except OSError:  # the server is gone, as when the guest is saved
                return
