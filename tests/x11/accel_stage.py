"""`xenabs accel` called on an X server, and all of its devices' properties."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result
from Xlib.display import Display
from Xlib.ext import xinput

from xenabs.cli import cli
from xenabs.errors import XenabsError
from xenabs.x11 import pointer_control, properties
from xenabs.x11.pointer_control import PointerControl
from xenabs.x11.properties import Value

PATIENCE = 30
"""Seconds."""
PROFILE = "Device Accel Profile"
CONSTANT = "Device Accel Constant Deceleration"
ADAPTIVE = "Device Accel Adaptive Deceleration"
SCALING = "Device Accel Velocity Scaling"

Everything = tuple[dict[tuple[int, str, str], Value | None], PointerControl, frozenset[str]]


def called(display: Display, *words: str) -> Result:
    """What `xenabs accel` does there, in this process; its errors are in the result."""
    environment = {"DISPLAY": display.get_display_name(), "WAYLAND_DISPLAY": None}
    return CliRunner().invoke(cli, ["accel", *words], env=environment)


def done(display: Display, *words: str) -> str:
    """What it says when it succeeds."""
    result = called(display, *words)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def sentence(display: Display, *words: str) -> str:
    """The sentence with which it fails."""
    result = called(display, *words)
    assert isinstance(result.exception, XenabsError)
    return str(result.exception)


def everything(display: Display) -> Everything:
    """Each property of each device, masters as well, the core pointer control, the root's names."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    values = {
        (each.deviceid, each.name, name): properties.get(display, each.deviceid, name)
        for each in devices
        for name in properties.names(display, each.deviceid)
    }
    root = display.screen().root
    ours = frozenset(display.get_atom_name(atom) for atom in root.list_properties())
    return values, pointer_control.read(display), ours


@contextmanager
def watching(display: Display, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """`xenabs accel off --watch` as a process, once it watches, for at most PATIENCE."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name("xenabs"), "accel", "off", "--watch", *words],
        env={**os.environ, "DISPLAY": display.get_display_name()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = threading.Timer(PATIENCE, process.kill)
    end.start()
    try:
        assert process.stdout is not None
        assert "watching" in process.stdout.readline()
        yield process
    finally:
        end.cancel()
        process.kill()
        process.communicate()
