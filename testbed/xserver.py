"""A further X server in the guest, without a screen that anybody sees: Xorg's dummy driver."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Iterable, Mapping

from testbed.bed import Guest
from testbed.closing import Closing
from testbed.errors import BedError
from testbed.outer import LineReader

#: seconds until it says which display it is, on a busy host
STARTING = 120
#: KiB; for several heads of more than 4000 pixels each way
VIDEO_MEMORY = 256 << 10
DRIVERS = ("libinput", "evdev")
NUMBERS = itertools.count(1)

CONFIGURATION = """\
Section "ServerFlags"
    Option "AutoAddGPU" "off"
    Option "BlankTime" "0"
EndSection
Section "Module"
    Disable "glx"
EndSection
Section "Screen"
    Identifier "screen"
    Device "dummy"
    Monitor "head 0"
    DefaultDepth 24
EndSection
"""
#: after the distribution's own choice, before what snippets say of it
DRIVER_FILE = "50-driver.conf"
DRIVER = """\
Section "InputClass"
    Identifier "the driver of all devices"
    MatchDevicePath "/dev/input/event*"
    Driver "{driver}"
EndSection
"""


class XServer(Closing):
    """Xorg beside the guest's own on :0, with the guest's input devices and heads of its own.

    ``heads`` are the sizes of the outputs DUMMY0, DUMMY1 and so on, side by side from the left.
    ``driver`` is one of DRIVERS, for all input devices. ``snippets`` are texts by file
    name; they are in its own directory of such files, after the distribution's and the driver's.
    """

    def __init__(
        self,
        guest: Guest,
        *,
        driver: str = "libinput",
        heads: Iterable[tuple[int, int]] = ((1280, 800),),
        snippets: Mapping[str, str] | None = None,
    ) -> None:
        self._guest = guest
        self.display = f":{next(NUMBERS)}"
        self._directory = f"/run/testbed/x{self.display[1:]}"
        files = {
            "xorg.conf": CONFIGURATION + _outputs(list(heads)),
            f"xorg.conf.d/{DRIVER_FILE}": DRIVER.format(driver=driver),
            **{f"xorg.conf.d/{name}": text for name, text in (snippets or {}).items()},
        }
        for name, text in files.items():
            guest.write(text, f"{self._directory}/{name}")
        words = [
            *("Xorg", self.display, "-displayfd", "1", "-noreset", "-nolisten", "tcp"),
            *("-config", f"{self._directory}/xorg.conf"),
            *("-configdir", f"{self._directory}/xorg.conf.d"),
            *("-logfile", f"{self._directory}/log"),
            # It neither takes the screen's terminal from the guest's own server nor waits for it.
            *("-sharevts", "-novtswitch"),
        ]
        said = f"{self._directory}/said"
        self._process = guest.follow(["sh", "-c", f"exec {shlex.join(words)} 2>{said}"])
        reader = LineReader.of(self._process)
        try:
            ready = reader.next(time.monotonic() + STARTING)
        except TimeoutError:
            ready = None
        if ready is None:
            self.close()
            evidence = {"its words": guest.run(["cat", said], check=False).stdout}
            raise BedError(f"The X server {self.display} in the guest does not start.", evidence)

    def close(self) -> None:
        """End it."""
        with self._process:  # closes its stdin, and waits until it has ended
            pass

    def log(self) -> str:
        """What it has said of itself and its devices so far."""
        return self._guest.run(["cat", f"{self._directory}/log"]).stdout


def on(display: str, *words: str) -> list[str]:
    """The words of a command in the guest for another display than its own."""
    return ["env", f"DISPLAY={display}", *words]


def _outputs(heads: list[tuple[int, int]]) -> str:
    """The sections of the device and its monitors, one a head."""
    names = [f'    Option "Monitor-DUMMY{head}" "head {head}"\n' for head in range(len(heads))]
    sections = [
        'Section "Device"\n    Identifier "dummy"\n    Driver "dummy"\n'
        f"    VideoRam {VIDEO_MEMORY}\n{''.join(names)}EndSection\n"
    ]
    left = 0
    for head, (width, height) in enumerate(heads):
        sections.append(
            f'Section "Monitor"\n    Identifier "head {head}"\n'
            "    HorizSync 1-10000\n    VertRefresh 1-1000\n"
            f'    Modeline "{width}x{height}" 100 {_timing(width)} {_timing(height)}\n'
            f'    Option "PreferredMode" "{width}x{height}"\n'
            f'    Option "Position" "{left} 0"\n    Option "Enable" "true"\nEndSection\n'
        )
        left += width
    return "".join(sections)


def _timing(pixels: int) -> str:
    """A modeline's four numbers of one direction; nothing shows the picture, so any will do."""
    return " ".join(str(pixels + more) for more in range(4))
