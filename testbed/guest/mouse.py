"""Runs in the guest: relative mice of uinput that are moved, and where X servers' pointers go.

What can be asked (see conversation.py):

    {"ask": "see", "server": SERVER}
            an X server, ":1" for one, is to see the mice from now on; answered once it uses those
            that there are
    {"ask": "plug", "name": NAME}
            a new mouse of that name; answered once each server uses it, with its "ids" by server
            and its "node" in /dev/input
    {"ask": "unplug", "name": NAME}
            answered once no server has it any more
    {"ask": "move", "name": NAME, "steps": [[DX, DY]...], "interval": S, "start": [X, Y]}
            puts each server's pointer on the pixel, then has the mouse say one step after the
            other, S seconds apart; answered with "paths" by server: the pixels that its pointer
            has been on, from the first to the last

The wheel is turned after the last step. It is seen by X after the motion, as button 4, so nothing
waits for a length of time. Mice are unplugged at the end of stdin, which ends the program.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Container
from typing import Any

from conversation import serve
from evdev import UInput, ecodes
from Xlib import X
from Xlib.display import Display
from Xlib.ext import xinput

CAPABILITIES = {
    ecodes.EV_KEY: [ecodes.BTN_LEFT, ecodes.BTN_RIGHT, ecodes.BTN_MIDDLE],
    ecodes.EV_REL: [ecodes.REL_X, ecodes.REL_Y, ecodes.REL_WHEEL],
}
#: the wheel turned away from the user
FENCE = 4
#: seconds for X to see what was plugged in, out or moved, on a busy host
PATIENCE = 60


class Server:
    """A connection to one X server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.display = Display(name)
        self.root = self.display.screen().root
        self.display.xinput_query_version()
        self.root.xinput_select_events([(xinput.AllDevices, xinput.HierarchyChangedMask)])
        self.root.change_attributes(event_mask=X.PointerMotionMask)
        # A grab, since a window over the root would get the press otherwise.
        modes = (X.GrabModeAsync, X.GrabModeAsync, X.NONE, X.NONE)
        self.root.grab_button(FENCE, X.AnyModifier, False, X.ButtonPressMask, *modes)
        self.display.sync()

    def devices(self) -> dict[int, str]:
        """The names of the devices in use, by id."""
        found = self.display.xinput_query_device(xinput.AllDevices).devices
        return {each.deviceid: each.name.rstrip("\0") for each in found if each.enabled}

    def await_event(self, wanted: Callable[[Any], bool]) -> None:
        """Take in events until one is wanted."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while self.display.pending_events():
                if wanted(self.display.next_event()):
                    return
            left = deadline - time.monotonic()
            if not select.select([self.display.fileno()], [], [], max(left, 0))[0]:
                raise TimeoutError(f"X server {self.name} does not see what the mouse does")

    def await_new(self, name: str, known: Container[int]) -> int:
        """The id of the device of that name that was not known, once it is in use."""
        while True:
            for id, its in self.devices().items():
                if its == name and id not in known:
                    return id
            self.await_event(lambda event: True)

    def await_gone(self, id: int) -> None:
        """Until there is no such device in use."""
        while id in self.devices():
            self.await_event(lambda event: True)

    def warp(self, x: int, y: int) -> tuple[int, int]:
        """Put the pointer on a pixel, and forget what has been before; where it is."""
        self.root.warp_pointer(x, y)
        pointer = self.root.query_pointer()
        while self.display.pending_events():
            self.display.next_event()
        return pointer.root_x, pointer.root_y

    def path(self) -> list[tuple[int, int]]:
        """The pixels on which the pointer has been, until the wheel is turned."""
        pixels: list[tuple[int, int]] = []

        def at_the_fence(event: Any) -> bool:
            if event.type not in (X.MotionNotify, X.ButtonPress):
                return False
            pixels.append((event.root_x, event.root_y))
            return bool(event.type == X.ButtonPress)

        self.await_event(at_the_fence)
        return pixels


class Mice:
    """The mice by name, their ids by server, and the servers that see them."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.mice: dict[str, UInput] = {}
        self.ids: dict[str, dict[str, int]] = {}

    def see(self, server: str) -> None:
        """One more server, once it uses the mice that there are."""
        new = Server(server)
        for mouse in self.mice:
            self.ids[mouse][server] = new.await_new(mouse, ())
        self.servers.append(new)

    def plug(self, name: str) -> dict[str, Any]:
        """A new mouse, once each server uses it."""
        known = {server.name: server.devices() for server in self.servers}
        self.mice[name] = UInput(CAPABILITIES, name=name, bustype=ecodes.BUS_VIRTUAL)
        self.ids[name] = {
            server.name: server.await_new(name, known[server.name]) for server in self.servers
        }
        return {"ids": self.ids[name], "node": self.mice[name].device.path}

    def unplug(self, name: str) -> None:
        """Take a mouse away; return once no server has it any more."""
        self.mice.pop(name).close()
        ids = self.ids.pop(name)
        for server in self.servers:
            server.await_gone(ids[server.name])

    def move(
        self, name: str, steps: list[tuple[int, int]], interval: float, start: tuple[int, int]
    ) -> dict[str, Any]:
        """Move a mouse; where that has led each server's pointer."""
        mouse = self.mice[name]
        starts = {server.name: server.warp(*start) for server in self.servers}
        due = time.monotonic()
        for dx, dy in steps:
            time.sleep(max(due - time.monotonic(), 0))
            due += interval
            for axis, distance in ((ecodes.REL_X, dx), (ecodes.REL_Y, dy)):
                if distance:
                    mouse.write(ecodes.EV_REL, axis, distance)
            mouse.syn()
        mouse.write(ecodes.EV_REL, ecodes.REL_WHEEL, 1)
        mouse.syn()
        paths = {server.name: [starts[server.name], *server.path()] for server in self.servers}
        return {"paths": paths}


def main() -> None:
    """Answer the host."""
    mice = Mice()
    serve(see=mice.see, plug=mice.plug, unplug=mice.unplug, move=mice.move)


if __name__ == "__main__":
    main()
