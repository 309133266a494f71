"""The host's side of the guest's tablet: where it points, and where X servers' pointers go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.bed import Guest
from testbed.conversation import Conversation

Pixel = tuple[int, int]

#: seconds for an answer: thousands of points on a busy host
ANSWER = 200


class Tablet(Conversation):
    """A tablet in a guest that X servers there see; see testbed/guest/tablet.py.

    It is plugged in at first, until `close`. It says what xenabs' own would for a VNC client, of a
    screen of any size. Each answer has what each of the servers says, by its name (":1").
    """

    def __init__(self, guest: Guest, *displays: str) -> None:
        super().__init__(guest, "tablet.py", *displays, patience=ANSWER)
        self.plug()

    def plug(self) -> None:
        """A new tablet, which all servers use by now."""
        self._ask("plug")

    def unplug(self) -> None:
        """No server has it any more then."""
        self._ask("unplug")

    def point(
        self,
        size: tuple[int, int],
        points: Sequence[Pixel],
        warps: Mapping[str, Pixel] | None = None,
    ) -> dict[str, list[Pixel]]:
        """Point there on a screen of that size; where each pointer is after each point.

        With ``warps`` a program puts each server's pointer there, before each point.
        """
        pixels = self._ask("point", size=size, points=points, warps=warps or {})["pixels"]
        return {server: [(x, y) for x, y in places] for server, places in pixels.items()}

    def turn(self, warps: Mapping[str, Pixel]) -> dict[str, Pixel]:
        """Turn the wheel, without pointing, after a program has put the pointers there."""
        return _pixels(self._ask("turn", warps=warps))

    def turned(self) -> dict[str, Pixel]:
        """Where each pointer was when somebody else, a VNC client, turned the wheel."""
        return _pixels(self._ask("turned"))


def _pixels(answer: dict[str, Any]) -> dict[str, Pixel]:
    return {server: (x, y) for server, (x, y) in answer["pixels"].items()}
