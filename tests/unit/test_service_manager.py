"""systemd's end of the line: what it hears, also when it is late, and when the loop hangs."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenabs import service_manager
from xenabs.service_manager import ServiceManager

LOOP = """
import select, sys
from xenabs.daemon import Signals
from xenabs.service_manager import ServiceManager, Watchdog
manager, signals = ServiceManager(), Signals()
watchdog = Watchdog(manager)
manager.status("begun")
while not (signals.stop or signals.hand_over):
    watchdog.beat()
    ready = select.select([signals, sys.stdin], [], [])[0]
    signals.heard()
    if sys.stdin in ready and sys.stdin.readline():  # not its end, when the test only waits
        # As in a call that never comes back: woken by each signal, it goes on waiting (PEP 475).
        select.select([], [], [])
watchdog.stop()
print("stop" if signals.stop else "hand over", flush=True)
"""


class Systemd:
    """The socket that services notify."""

    def __init__(self, path: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(str(path))
        self.path = path

    def hears(self, timeout: float = 10) -> str:
        """The next words, "" if none come in time."""
        if not select.select([self.line], [], [], timeout)[0]:
            return ""
        words, fds, _, _ = socket.recv_fds(self.line, 4096, 8)
        for fd in fds:
            os.close(fd)
        return words.decode()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    found = Systemd(tmp_path / "notify")
    with found.line:
        yield found


@pytest.fixture
def manager(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> ServiceManager:
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    monkeypatch.setattr(service_manager, "WAIT", 0.05)
    return ServiceManager()


def fill(manager: ServiceManager) -> int:
    """How many words fit until systemd reads."""
    count = 0
    while manager._notify(f"STATUS={count}"):
        count += 1
    return count


def test_a_full_queue_holds_up_nothing_for_ever(manager: ServiceManager, systemd: Systemd) -> None:
    fill(manager)
    manager.status("late")
    manager.alive()
    manager.ready()
    manager.store("tablet", systemd.line.fileno())
    manager.forget("tablet")


def test_what_must_be_heard_waits_for_room(
    manager: ServiceManager, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "WAIT", 10.0)
    count = fill(manager)
    heard: list[str] = []
    # By then the other one waits, or it says it later and finds room: both are right.
    reading = threading.Timer(0.05, lambda: heard.extend(systemd.hears() for _ in range(count + 2)))
    reading.start()
    manager.store("tablet", systemd.line.fileno())
    manager.ready()
    reading.join()
    assert heard[-2:] == ["FDSTORE=1\nFDPOLL=0\nFDNAME=tablet", "READY=1"]


def test_ready_is_said_once_and_again_if_it_was_lost(
    manager: ServiceManager, systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    count = fill(manager)
    manager.ready()
    assert "has not heard 'READY=1'" in caplog.text
    assert [systemd.hears() for _ in range(count)][-1] == f"STATUS={count - 1}"
    manager.ready()
    manager.ready()
    assert systemd.hears() == "READY=1"
    assert systemd.hears(0) == ""


def test_a_manager_that_is_gone_ends_nothing(manager: ServiceManager, systemd: Systemd) -> None:
    systemd.line.close()
    systemd.path.unlink()
    manager.ready()
    manager.alive()
    manager.store("tablet", 0)


@pytest.fixture
def daemon(systemd: Systemd) -> Iterator[subprocess.Popen[bytes]]:
    """A loop that waits for signals and for a line that has it hang, with a watchdog of 0.4 s."""
    environment = {**os.environ, "NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "400000"}
    words = [sys.executable, "-c", LOOP]
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert systemd.hears(60) == "STATUS=begun"
        yield process
        process.kill()


def test_a_loop_that_only_waits_contents_the_watchdog(
    daemon: subprocess.Popen[bytes], systemd: Systemd
) -> None:
    assert [systemd.hears() for _ in range(5)] == ["WATCHDOG=1"] * 5


def test_a_loop_that_hangs_does_not(daemon: subprocess.Popen[bytes], systemd: Systemd) -> None:
    assert systemd.hears() == "WATCHDOG=1"
    assert daemon.stdin is not None
    daemon.stdin.write(b"hang\n")
    daemon.stdin.flush()
    ends = time.monotonic() + 10
    while systemd.hears(1.0):  # more than two alarms without a word
        assert time.monotonic() < ends


def test_a_healthy_one_that_the_watchdog_ends_hands_over(
    daemon: subprocess.Popen[bytes],
) -> None:
    """As after a pause of the guest that was longer than the watchdog's interval."""
    daemon.send_signal(signal.SIGABRT)
    assert daemon.communicate(timeout=10)[0] == b"hand over\n"
    assert daemon.returncode == 0
