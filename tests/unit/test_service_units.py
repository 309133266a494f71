"""What systemd is told of the two processes, as far as the one depends on the other."""

import re
from pathlib import Path

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
