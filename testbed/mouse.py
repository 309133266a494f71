"""The host's side of the guest's mice: relative motion asked of a mouse, and where X then is."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.bed import Guest
from testbed.conversation import Conversation

Step = tuple[int, int]
Pixel = tuple[int, int]

#: seconds between two steps: 125 a second, as most mice
INTERVAL = 0.008
#: seconds for an answer: more than the program itself takes for anything
ANSWER = 150
#: name -> steps; the same way to the right in one go and in many, fast and slow, and a diagonal
PATTERNS: dict[str, list[Step]] = {
    "1x100": [(100, 0)],
    "100x1": [(1, 0)] * 100,
    "20x5": [(5, 0)] * 20,
    "10x10": [(10, 0)] * 10,
    "5x20": [(20, 0)] * 5,
    "2x50": [(50, 0)] * 2,
    "diagonal": [(10, 7)] * 10,
}


class Mouse(Conversation):
    """Mice in a guest that X servers there see; see testbed/guest/mouse.py.

    Each answer has what each of the servers says, by its name (":1"). `close` unplugs them all.
    """

    def __init__(self, guest: Guest, *displays: str) -> None:
        super().__init__(guest, "mouse.py", patience=ANSWER)
        #: where each mouse is in /dev/input, by its name
        self.nodes: dict[str, str] = {}
        for display in displays:
            self.see(display)

    def see(self, display: str) -> None:
        """Have one more server see the mice, those that there are included."""
        self._ask("see", server=display)

    def plug(self, name: str) -> dict[str, int]:
        """Plug in a mouse of this name; its id in each server, all of which use it by now."""
        answer = self._ask("plug", name=name)
        self.nodes[name] = answer["node"]
        ids: dict[str, int] = answer["ids"]
        return ids

    def unplug(self, name: str) -> None:
        """Unplug that mouse; no server has it any more then."""
        self._ask("unplug", name=name)

    def path(
        self,
        name: str,
        steps: Sequence[Step],
        start: Pixel = (500, 400),
        interval: float = INTERVAL,
    ) -> dict[str, list[Pixel]]:
        """Move that mouse, each pointer being on ``start`` before; the pixels each has been on."""
        answer = self._ask("move", name=name, steps=steps, interval=interval, start=start)
        return {server: [(x, y) for x, y in path] for server, path in answer["paths"].items()}

    def displacement(self, name: str, steps: Sequence[Step]) -> dict[str, Step]:
        """Move that mouse; by how many pixels each pointer is moved in the end."""
        return {
            server: (path[-1][0] - path[0][0], path[-1][1] - path[0][1])
            for server, path in self.path(name, steps).items()
        }
