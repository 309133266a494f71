"""The instrument that measures in the guest tells the truth about an X server."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from Xlib import X
from Xlib.display import Display
from Xlib.ext import xtest

import testbed

PROBE = Path(testbed.__file__).parent / "guest/pointer_probe.py"
F12 = 0xFFC9


class Probe:
    def __init__(self, display_name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, str(PROBE), str(port)],
            env={**os.environ, "DISPLAY": display_name},
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"listening\n"
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.lines = self.connection.makefile("rw")

    def close(self) -> None:
        self.lines.close()
        self.connection.close()
        self.process.communicate(timeout=10)

    def line(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.lines.readline())
        return facts

    def until(self, key: str, value: object) -> dict[str, Any]:
        while (facts := self.line()).get(key) != value:
            pass
        return facts

    def ask(self, what: str) -> dict[str, Any]:
        self.lines.write(json.dumps({"ask": what, "id": 1}) + "\n")
        self.lines.flush()
        return self.until("answer", 1)


@pytest.fixture
def probe(display_name: str) -> Iterator[Probe]:
    started = Probe(display_name)
    assert started.line() == {"event": "screen", "width": 1280, "height": 800}
    yield started
    started.close()


def fake(display: Display, kind: int, detail: int = 0, x: int = 0, y: int = 0) -> None:
    xtest.fake_input(display, kind, detail, x=x, y=y)
    display.sync()


def test_motion_is_told_to_the_pixel(probe: Probe, display: Display) -> None:
    for place in [(0, 799), (1279, 0), (17, 4)]:
        fake(display, X.MotionNotify, x=place[0], y=place[1])
        moved = probe.until("event", "motion")
        assert (moved["x"], moved["y"]) == place
        asked = probe.ask("pointer")
        assert (asked["x"], asked["y"]) == place


def test_a_click_is_told_with_its_button_and_pixel(probe: Probe, display: Display) -> None:
    probe.ask("window")
    fake(display, X.MotionNotify, x=321, y=123)
    for kind in (X.ButtonPress, X.ButtonRelease):
        fake(display, kind, 3)
        event = probe.until("event", "button")
        assert (event["button"], event["x"], event["y"]) == (3, 321, 123)
        assert event["down"] == (kind == X.ButtonPress)


def test_the_fence_comes_after_the_motion_before_it_without_a_window(
    probe: Probe, display: Display
) -> None:
    fake(display, X.MotionNotify, x=700, y=600)
    fence = display.keysym_to_keycode(F12)
    fake(display, X.KeyPress, fence)
    fake(display, X.KeyRelease, fence)
    assert probe.line() == {"event": "motion", "x": 700, "y": 600}
    assert probe.line() == {"event": "fence", "keysym": F12}
