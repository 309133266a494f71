"""`xenabs accel` called in a guest, for one of its X servers."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from testbed import Guest
from testbed.mouse import PATTERNS, Mouse, Step
from testbed.outer import LineReader
from testbed.xserver import XServer, on

#: seconds until the other end has said a line, on a busy host
SAYING = 60

PROPERTIES = """
import json
from Xlib.ext import xinput
from xenabs.x11 import properties
from xenabs.x11.connection import connected
from xenabs.x11.wayland import ACCELERATION
with connected(ACCELERATION) as display:
    devices = display.xinput_query_device(xinput.AllDevices).devices
    print(json.dumps([
        [device.deviceid, name, repr(properties.get(display, device.deviceid, name))]
        for device in devices
        for name in properties.names(display, device.deviceid)
    ]))
"""

ENABLE = """
import sys
from xenabs.x11 import devices, properties
from xenabs.x11.connection import connected
from xenabs.x11.wayland import ACCELERATION
with connected(ACCELERATION) as display:
    (device,) = devices.choose(devices.present(display), [sys.argv[1]])
    value = properties.Value.integers(int(sys.argv[2]), bits=8)
    properties.put(display, device.id, "Device Enabled", value)
"""


class Accel:
    """The X server's pointers, and a mouse that it sees."""

    def __init__(self, guest: Guest, server: XServer, mouse: Mouse) -> None:
        self.guest = guest
        self.display = server.display
        self.mouse = mouse

    def call(self, *words: str) -> str:
        """What `xenabs accel` says."""
        return self.guest.run(on(self.display, "xenabs", "accel", *words)).stdout

    def state(self, name: str) -> dict[str, Any]:
        """What `status` says of a device."""
        told = json.loads(self.call("status", "--json", "--device", name))
        (facts,) = told["devices"]
        return dict(facts)

    def properties(self) -> Any:
        """Every property of every device, to the last bit."""
        program = on(self.display, "python3", "-c", PROPERTIES)
        return json.loads(self.guest.run(program).stdout)

    def displacements(self, name: str, patterns: Iterable[str] = PATTERNS) -> dict[str, Step]:
        """Where each pattern leads."""
        return {
            pattern: self.mouse.displacement(name, PATTERNS[pattern])[self.display]
            for pattern in patterns
        }

    def enable(self, name: str, enabled: bool) -> None:
        """What `xinput enable` and `disable` do."""
        program = on(self.display, "python3", "-c", ENABLE, name, str(int(enabled)))
        self.guest.run(program)

    @contextmanager
    def watching(self, *words: str) -> Iterator[LineReader]:
        """`xenabs accel off --watch`, once it watches; what it says."""
        program = on(self.display, "xenabs", "accel", "off", "--watch", *words)
        with self.guest.follow(program) as process:
            lines = LineReader.of(process)
            lines.until("watching", SAYING)
            yield lines


ASKED: dict[str, Step] = {
    pattern: (sum(x for x, _ in steps), sum(y for _, y in steps))
    for pattern, steps in PATTERNS.items()
}
"""Where each pattern leads without acceleration."""

ACCELERATED = {
    "libinput": ["1x100", "10x10", "5x20", "2x50", "diagonal"],
    "evdev": ["10x10", "5x20", "2x50", "diagonal"],
}
"""Where a driver's own acceleration shows, even on a machine too busy to send each step in time, as
20x5 needs it. Both nearly leave a slow mouse alone, and evdev the first step of a motion, at which
it knows no speed yet."""
