"""X servers of this machine, without a screen, and the devices that each of them has."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from Xlib.display import Display
from Xlib.ext import xinput

MOUSE = "Xvfb mouse"
KEYBOARD = "Xvfb keyboard"


@dataclass
class Server:
    """One that runs: its name for DISPLAY, and its process."""

    name: str
    process: "subprocess.Popen[bytes]"

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def xvfb(*arguments: str) -> Iterator[Server]:
    # It would start anew, and break connections, whenever its last client has gone.
    process = subprocess.Popen(
        [
            "Xvfb",
            "-noreset",
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x800x24",
            "-nolisten",
            "tcp",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout as told:
        number = told.readline().decode().strip()
    assert number, "Xvfb did not start"
    server = Server(f":{number}", process)
    try:
        yield server
    finally:
        server.end()


def number(display: Display, name: str = MOUSE) -> int:
    """The id of a device."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    return next(int(each.deviceid) for each in devices if each.name == name)
