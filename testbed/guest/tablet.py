"""Runs in the guest: a tablet that says what xenabs' says, and where X servers' pointers go.

The X servers are those in its arguments, ":1" for one. What can be asked (see conversation.py):

    {"ask": "plug"}     a new tablet; answered once each server uses it
    {"ask": "unplug"}   answered once no server has it any more
    {"ask": "point", "size": [W, H], "points": [[X, Y]...], "warps": {SERVER: [X, Y]...}}
            points as a VNC client of a screen of W x H pixels does; answered with "pixels" by
            server: where its pointer was then. "warps" may be empty; otherwise a program puts each
            server's pointer there before each point
    {"ask": "turn", "warps": {SERVER: [X, Y]...}}
            puts the pointers there, and turns the wheel without saying where; answered with
            "pixels" by server: where it was turned
    {"ask": "turned"}   the same, once somebody else has turned it

The wheel is turned after points, too. X sees it after the motion, so nothing waits for a length of
time. The tablet goes at the end of stdin, which ends the program.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Mapping
from typing import Any

from conversation import serve
from evdev import ecodes
from mouse import Server

from xenabs.devices import tablet
from xenabs.geometry import RAW_MAX, axis_from_raw

Pixel = tuple[int, int]

EVENT = struct.Struct("llHHi")
SYN = EVENT.pack(0, 0, ecodes.EV_SYN, ecodes.SYN_REPORT, 0)
WHEEL = EVENT.pack(0, 0, ecodes.EV_REL, ecodes.REL_WHEEL, 1) + SYN
#: points in one write: a reader's buffer holds 128 events
BATCH = 30
VKBD = "vkbd-9"


class Tablet:
    """One that is plugged in at times, and the servers that see it."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    def plug(self) -> None:
        """Make it; return once each server uses it."""
        known = {server.name: server.devices() for server in self.servers}
        self.device = tablet.create(VKBD)
        self.axes = [-1, -1]
        self.ids = {
            server.name: server.await_new(tablet.NAME, known[server.name])
            for server in self.servers
        }

    def unplug(self) -> None:
        """Take it away; return once no server has it any more."""
        self.device.close()
        for server in self.servers:
            server.await_gone(self.ids[server.name])

    def write(self, frames: bytes) -> None:
        """Say it to all who listen."""
        os.write(self.device.output.fd, frames)

    def frame(self, point: Pixel, size: tuple[int, int]) -> bytes:
        """The way of QEMU, which makes raw coordinates, and of the pump (told_apart)."""
        events = b""
        for axis in (0, 1):
            value = axis_from_raw(point[axis] * RAW_MAX // size[axis])
            self.axes[axis] = value ^ 1 if value == self.axes[axis] else value
            code = (ecodes.ABS_X, ecodes.ABS_Y)[axis]
            events += EVENT.pack(0, 0, ecodes.EV_ABS, code, self.axes[axis])
        return events + SYN

    def point(
        self, size: tuple[int, int], points: list[Pixel], warps: Mapping[str, Pixel]
    ) -> dict[str, Any]:
        """Where each server's pointer was after each point."""
        pixels: dict[str, list[Pixel]] = {server.name: [] for server in self.servers}
        batch = 1 if warps else BATCH
        self.forget()
        for start in range(0, len(points), batch):
            some = points[start : start + batch]
            self.warp(warps)
            self.write(b"".join(self.frame(each, size) for each in some) + WHEEL)
            for server in self.servers:
                # The last one is where the wheel was turned.
                pixels[server.name] += server.path()[:-1]
        return {"pixels": pixels}

    def turn(self, warps: Mapping[str, Pixel]) -> dict[str, Any]:
        """Where each server has the wheel turned when nobody says where."""
        self.warp(warps)
        self.write(WHEEL)
        return self.turned()

    def turned(self) -> dict[str, Any]:
        """Where each server has seen the wheel turned."""
        return {"pixels": {server.name: server.path()[-1] for server in self.servers}}

    def forget(self) -> None:
        """What has been is not what comes: the server moves a pointer when outputs change, too."""
        for server in self.servers:
            server.display.sync()
            while server.display.pending_events():
                server.display.next_event()

    def warp(self, warps: Mapping[str, Pixel]) -> None:
        """Put the pointers there, as programs do."""
        for server in self.servers:
            if server.name in warps:
                server.warp(*warps[server.name])


def main() -> None:
    """Answer the host."""
    one = Tablet([Server(name) for name in sys.argv[1:]])
    serve(plug=one.plug, unplug=one.unplug, point=one.point, turn=one.turn, turned=one.turned)


if __name__ == "__main__":
    main()
