"""What systemd is told of the two processes, as far as the one depends on the other."""

import os
import re
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"


def niceness(unit: str) -> int:
    (text,) = re.findall(r"^Nice=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)
    return int(text)


def test_the_daemon_does_not_wait_for_a_process_that_yields_to_others() -> None:
    assert niceness("xenabs-guardian@.service") <= niceness("xenabs@.service") < 0


def test_one_that_hangs_is_killed_soon_after_the_watchdog_has_found_out() -> None:
    """It does not die of SIGABRT, which a healthy one takes for a word to hand over."""
    unit = (UNITS / "xenabs@.service").read_text()
    (text,) = re.findall(r"^TimeoutAbortSec=(.*)$", unit, re.MULTILINE)
    assert 0 < int(text) <= 10


class Ends:
    """What systemd has run after each end of the daemon; the seconds it sleeps are written down."""

    def __init__(self, directory: Path) -> None:
        unit = (UNITS / "xenabs@.service").read_text().replace("\\\n", "")
        (script,) = re.findall(r"^ExecStopPost=-/bin/sh -c '(.*)'$", unit, re.MULTILINE)
        # Specifiers and variables (systemd.unit(5), systemd.service(5)).
        self._script = script.replace("%i", "vkbd-0").replace("%%", "%").replace("$$", "$")
        self._slept, programs = directory / "slept", directory / "programs"
        programs.mkdir()
        (programs / "sleep").write_text(f'#!/bin/sh\necho "$1" >>{self._slept}\n')
        (programs / "sleep").chmod(0o755)
        self.run = directory / "run"
        self.run.mkdir()
        self._path = f"{programs}:{os.environ['PATH']}"

    def end(self, result: str, status: str) -> tuple[list[str], str]:
        """One end: the seconds slept after it, and what is said."""
        self._slept.write_text("")
        environment = {
            "PATH": self._path,
            "RUNTIME_DIRECTORY": str(self.run),
            "SERVICE_RESULT": result,
            "EXIT_STATUS": status,
        }
        words = ["/bin/sh", "-c", self._script]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        return self._slept.read_text().split(), done.stderr


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path)


def test_a_crash_is_followed_at_once_and_a_storm_is_not(ends: Ends) -> None:
    assert [ends.end("signal", "KILL") for _ in range(4)] == [([], "")] * 4
    for _ in range(3):
        slept, said = ends.end("signal", "SEGV")
        assert slept == ["5"]
        assert "vkbd-0" in said and "SEGV" in said
        assert len(said.splitlines()) == 1


def test_crashes_of_long_ago_do_not_count(ends: Ends) -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    (ends.run / "vkbd-0.crashes").write_text(" ".join([f"{uptime - 11:.0f}"] * 5))
    assert ends.end("signal", "KILL") == ([], "")


def test_handing_over_and_stopping_are_no_crashes(ends: Ends) -> None:
    assert [ends.end("success", status) for status in ["75", "0"] * 5] == [([], "")] * 10
    assert ends.end("signal", "KILL") == ([], "")


def test_what_the_daemon_cannot_cure_is_tried_again_after_a_while(ends: Ends) -> None:
    assert ends.end("exit-code", "1") == (["5"], "")


def test_a_hang_up_before_python_listens_is_no_end() -> None:
    unit = (UNITS / "xenabs@.service").read_text()
    assert re.search(r"^RestartForceExitStatus=.*\bSIGHUP\b", unit, re.MULTILINE)
