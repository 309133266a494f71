"""The guardian keeps descriptors over the death of a daemon, and closes what nobody comes for."""

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from qemu_double import BACKEND, FRONTEND, FakeStore, QemuBackend

from xenabs.guardian import keeper, line
from xenabs.guardian.client import Guardian
from xenabs.guardian.keeper import Keeper
from xenabs.kbdif.nodes import XenbusState
from xenabs.service_manager import ServiceManager


class Kept:
    """A descriptor that can be seen to be open, and in use, somewhere."""

    def __init__(self) -> None:
        self._watching, self.fd = os.pipe()

    def open_somewhere(self) -> bool:
        poll = select.poll()
        poll.register(self._watching, 0)
        return not poll.poll(0)

    def closes(self) -> bool:
        """Waits for it."""
        return select.select([self._watching], [], [], 10)[0] != [] and not self.open_somewhere()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def guardian(tmp_path: Path) -> Iterator[Guardian]:
    yield Guardian("vkbd-0", tmp_path)
    end = Guardian("vkbd-0", tmp_path)
    for name in list(end.kept):
        end.drop(name)


def process() -> int:
    """The guardian of this process, which has started it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    (found,) = (
        int(child)
        for child in children
        if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"@xenabs-guardian")
    )
    return found


def test_the_next_daemon_is_given_what_the_last_one_kept(
    guardian: Guardian, kept: Kept, tmp_path: Path
) -> None:
    guardian.keep("tablet", kept.fd)
    os.close(kept.fd)
    guardian.dismiss()  # all that the guardian sees of a death
    heir = Guardian("vkbd-0", tmp_path)
    assert heir.kept.keys() == {"tablet"}
    assert kept.open_somewhere()
    heir.dismiss()


def test_what_is_dropped_is_closed(guardian: Guardian, kept: Kept) -> None:
    guardian.keep("tablet", kept.fd)
    os.close(kept.fd)
    assert kept.open_somewhere()
    guardian.drop("tablet")
    assert kept.closes()
    guardian.dismiss()


def test_what_is_held_is_never_given_away_nor_closed(
    guardian: Guardian, kept: Kept, tmp_path: Path
) -> None:
    guardian.keep("channel.3.1", kept.fd)
    os.close(kept.fd)
    guardian.hold("channel.3.1")
    keeping = process()
    guardian.dismiss()
    heir = Guardian("vkbd-0", tmp_path)
    assert heir.kept == {}
    assert kept.open_somewhere()
    os.kill(keeping, signal.SIGKILL)


def test_a_guardian_that_was_killed_is_replaced(
    guardian: Guardian, kept: Kept, tmp_path: Path
) -> None:
    guardian.keep("tablet", kept.fd)
    os.kill(process(), signal.SIGKILL)
    assert select.select([guardian], [], [], 10)[0] == [guardian]
    guardian.renew()
    os.close(kept.fd)
    guardian.dismiss()
    heir = Guardian("vkbd-0", tmp_path)
    assert heir.kept.keys() == {"tablet"}
    assert kept.open_somewhere()


def test_terminating_the_guardian_does_nothing(guardian: Guardian, kept: Kept) -> None:
    guardian.keep("tablet", kept.fd)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(process(), number)
    guardian.drop("tablet")
    guardian.dismiss()


def test_one_that_ends_as_somebody_calls_is_replaced(guardian: Guardian, tmp_path: Path) -> None:
    guardian.dismiss()
    for _ in range(10):
        Guardian("vkbd-0", tmp_path).dismiss()


def test_nobody_is_started_to_look_whether_somebody_runs(tmp_path: Path) -> None:
    assert Guardian.running("vkbd-0", tmp_path) is None


class WatchedStore(FakeStore):
    """One that QEMU's double and a guardian both hear of."""

    def __init__(self) -> None:
        super().__init__()
        self._hear, self._tell = os.pipe()
        self.backend = QemuBackend(self)
        self.changed = self._on_change

    def fileno(self) -> int:
        return self._hear

    def close(self) -> None: ...
    def watch(self, path: str) -> None: ...

    def watched(self) -> None:
        os.read(self._hear, 4096)

    def _on_change(self, path: str) -> None:
        os.write(self._tell, b".")
        if not path.startswith(BACKEND):
            self.backend.react()


class Left:
    """What a daemon that died while connected left with its guardian."""

    def __init__(self) -> None:
        self.store = WatchedStore()
        self.store.nodes |= {f"{FRONTEND}/state": "4", f"{FRONTEND}/event-channel": "15"}
        self.store.backend.state = XenbusState.CONNECTED
        self.store.nodes[f"{BACKEND}/state"] = "4"
        self.grant, self.channel = Kept(), Kept()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind("\0xenabs-test-listener-" + str(os.getpid()))
        self.listener.listen()
        kept = {"grant.0.8": self.grant.fd, "channel.15.1": self.channel.fd}
        self.keeper = Keeper(FRONTEND, kept, ServiceManager())

    def call(self) -> socket.socket:
        daemon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        daemon.connect(self.listener.getsockname())
        return daemon


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Left]:
    found = Left()
    monkeypatch.setattr(keeper, "Store", lambda: found.store)
    monkeypatch.setattr(keeper, "PATIENCE", 0.01)
    with found.listener:
        yield found


def test_a_connection_that_nobody_comes_for_is_closed_gracefully(left: Left) -> None:
    left.keeper.guard(left.listener)
    assert left.store.nodes[f"{BACKEND}/state"] == "6"
    assert left.store.nodes[f"{FRONTEND}/state"] == "6"
    assert left.grant.closes() and left.channel.closes()


def test_a_daemon_that_dies_as_it_calls_ends_nothing(left: Left) -> None:
    left.call().close()
    left.keeper.guard(left.listener)
    assert left.store.nodes[f"{BACKEND}/state"] == "6"


def test_a_backend_that_does_not_answer_keeps_it_all(left: Left) -> None:
    left.store.backend.answers = False
    daemon = left.call()
    daemon.close()
    assert not left.keeper._close_connection(left.listener)
    assert left.grant.open_somewhere() and left.channel.open_somewhere()


def test_after_a_restore_the_channel_is_held_and_the_page_is_not(left: Left) -> None:
    left.store.nodes["domid"] = "2"
    assert left.keeper._close_connection(left.listener)
    assert left.grant.closes()
    assert left.channel.open_somewhere()
    assert left.store.log == []


def test_a_restore_while_it_waits_for_the_backend_has_it_hold_the_channel(left: Left) -> None:
    left.store.backend.answers = False
    waits = left.store.watched

    def restore() -> None:
        waits()
        left.store.nodes["domid"] = "2"

    left.store.watched = restore  # type: ignore[method-assign]
    assert left.keeper._close_connection(left.listener)
    assert left.grant.closes()
    assert left.channel.open_somewhere()


def test_the_release_of_the_device_closes_at_once(left: Left) -> None:
    guarding = threading.Thread(target=left.keeper.guard, args=[left.listener])
    with left.call() as daemon:
        guarding.start()
        words, fds = line.receive(daemon)
        assert words == ["kept", "grant.0.8", "channel.15.1"]
        line.close_all(fds)
        line.send(daemon, ["close"])
        assert line.receive(daemon) == (["done"], [])
        assert left.store.nodes[f"{BACKEND}/state"] == "6"
        assert left.grant.closes() and left.channel.closes()
    guarding.join(10)
    assert not guarding.is_alive()
