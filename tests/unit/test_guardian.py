"""The guardian keeps descriptors over the death of a daemon, and closes what nobody comes for."""

import os
import resource
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
from qemu_double import BACKEND, FRONTEND, FakeStore, QemuBackend

from xenabs.errors import XenabsError
from xenabs.guardian import keeper, protocol
from xenabs.guardian.client import Guardian
from xenabs.guardian.keeper import Keeper
from xenabs.kbdif.nodes import XenbusState
from xenabs.service_manager import ServiceManager


class Kept:
    """A descriptor that can be seen to be open, and in use, somewhere."""

    def __init__(self) -> None:
        self._watching, self.fd = os.pipe()

    def fileno(self) -> int:
        """Readable once it is closed everywhere."""
        return self._watching

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
    """The guardian that this process has started last; that of a test before may be ending yet."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return max(
        int(child)
        for child in children
        if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"@xenabs-guardian")
    )


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


def test_one_that_may_open_no_more_files_keeps_what_it_has(
    guardian: Guardian, kept: Kept, tmp_path: Path
) -> None:
    guardian.keep("tablet", kept.fd)
    os.close(kept.fd)
    keeping = process()
    before = resource.prlimit(keeping, resource.RLIMIT_NOFILE)
    resource.prlimit(keeping, resource.RLIMIT_NOFILE, (3, before[1]))
    guardian.dismiss()
    with pytest.raises(XenabsError, match="has not answered"):
        Guardian("vkbd-0", tmp_path, answer=0.1)
    assert kept.open_somewhere()
    resource.prlimit(keeping, resource.RLIMIT_NOFILE, before)
    heir = Guardian("vkbd-0", tmp_path)
    assert heir.kept.keys() == {"tablet"}
    heir.dismiss()


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
        self.tablet, self.keyboard = Kept(), Kept()
        self.hooks: list[str] = []
        """What was called, with the backend's state then."""
        self.refusals = 0
        self.elsewhere = 0
        """How many times giving back fails."""
        self.threads: list[threading.Thread] = []
        kept = {
            "tablet": self.tablet.fd,
            "keyboard": self.keyboard.fd,
            "grant.0.8": self.grant.fd,
            "channel.15.1": self.channel.fd,
        }
        self.keeper = Keeper(
            FRONTEND,
            kept,
            ServiceManager(),
            recover=lambda: self.hooks.append("recover"),
            give_back=self._give_back,
        )

    def _give_back(self) -> bool:
        self.hooks.append(f"give back at {self.store.nodes[f'{BACKEND}/state']}")
        if self.refusals:
            self.refusals -= 1
            raise XenabsError("not yet")
        if self.elsewhere:
            self.elsewhere -= 1
            return False
        return True

    def guarding(self) -> None:
        """The keeper at work, which ends with the test: there is nothing to keep then."""
        thread = threading.Thread(target=self.keeper.guard, args=[self.listener], daemon=True)
        thread.start()
        self.threads.append(thread)

    def call(self) -> socket.socket:
        daemon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        daemon.connect(self.listener.getsockname())
        return daemon


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Left]:
    found = Left()
    monkeypatch.setattr(keeper, "Store", lambda: found.store)
    monkeypatch.setattr(keeper, "PATIENCE", 0.01)
    monkeypatch.setattr(keeper, "FIRST_PAUSE", 0.01)
    with found.listener:
        yield found
        for thread in found.threads:
            thread.join(10)
            assert not thread.is_alive()


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
    with left.call() as daemon:
        left.guarding()
        words, fds = protocol.receive(daemon)
        assert words == ["kept", "tablet", "keyboard", "grant.0.8", "channel.15.1"]
        protocol.close_all(fds)
        protocol.send(daemon, ["close"])
        assert protocol.receive(daemon) == (["done"], [])
        assert left.store.nodes[f"{BACKEND}/state"] == "6"
        assert left.grant.closes() and left.channel.closes()
    left.threads.pop().join(10)
    # The process that said "close" may be killed before it has given the device back.
    assert left.hooks == ["recover", "give back at 6", "recover"]


def test_a_guardian_killed_before_it_gave_the_device_back_has_the_next_one_do_that(
    left: Left, kept: Kept
) -> None:
    heir = Keeper(FRONTEND, {"owed": kept.fd}, ServiceManager(), give_back=left._give_back)
    with left.call() as daemon:
        thread = threading.Thread(target=heir.guard, args=[left.listener], daemon=True)
        thread.start()
        left.threads.append(thread)
        # It is nothing to a daemon, which may fail to serve.
        assert protocol.receive(daemon) == (["kept"], [])
    thread.join(10)
    assert left.hooks == ["give back at 4"]
    assert kept.closes()


def test_a_device_that_another_process_has_is_looked_at_until_it_is_given_back(left: Left) -> None:
    left.elsewhere = 2
    left.keeper.guard(left.listener)
    assert left.hooks == ["recover", *["give back at 6"] * 3]


def test_what_nobody_comes_for_is_given_back_after_it_is_closed(left: Left) -> None:
    left.keeper.guard(left.listener)
    assert left.hooks == ["recover", "give back at 6"]


def test_giving_back_is_tried_until_it_works(left: Left) -> None:
    left.refusals = 3
    left.keeper.guard(left.listener)
    assert left.hooks == ["recover", *["give back at 6"] * 4]


def test_a_daemon_that_calls_while_giving_back_fails_is_served(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "FIRST_PAUSE", 60.0)
    left.refusals = 1
    left.guarding()
    assert left.grant.closes()
    with left.call() as daemon:
        assert protocol.receive(daemon) == (["kept"], [])


def test_what_is_down_is_lifted_though_the_backend_does_not_let_go(left: Left) -> None:
    left.store.backend.answers = False
    left.guarding()
    assert left.tablet.closes() and left.keyboard.closes()
    assert left.grant.open_somewhere() and left.channel.open_somewhere()
    left.store.backend.answers = True
    left.store.backend.react()
    assert left.grant.closes() and left.channel.closes()


def test_what_is_down_is_lifted_though_xenstore_refuses_and_it_tries_again(left: Left) -> None:
    refusals = 3
    read = left.store.read

    def refuse(path: str) -> str | None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            assert left.tablet.closes() and left.keyboard.closes()
            assert left.grant.open_somewhere()
            raise PermissionError(13, "Permission denied", path)
        return read(path)

    left.store.read = refuse  # type: ignore[method-assign]
    left.keeper.guard(left.listener)
    assert refusals == 0
    assert left.grant.closes() and left.channel.closes()


def test_pauses_grow_up_to_a_minute() -> None:
    pauses = keeper._pauses()
    assert [next(pauses) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def call_and_die(left: Left, words: list[str]) -> None:
    with left.call() as daemon:
        protocol.close_all(protocol.receive(daemon)[1])
        for word in words:
            protocol.send(daemon, [word])
            assert protocol.receive(daemon) == (["done"], [])


def test_daemons_that_fail_at_each_start_do_not_prolong_patience(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PATIENCE", 0.5)
    left.guarding()
    ends = time.monotonic() + 10
    while left.tablet.open_somewhere():
        assert time.monotonic() < ends
        with left.call() as daemon:
            # One that calls as the guardian ends is answered by nobody.
            if daemon in select.select([daemon, left.tablet], [], [])[0]:
                protocol.close_all(protocol.receive(daemon)[1])
    assert left.grant.closes()


def test_a_daemon_that_served_has_the_whole_patience_begin_again(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(keeper, "PATIENCE", 30.0)
    waits: list[float | None] = []
    calls = iter([(29, ["serving"]), (29, []), (0.5, [])])

    def waiting(_: socket.socket, patience: float | None) -> bool:
        waits.append(patience)
        passed, words = next(calls, (60, None))
        clock[0] += passed
        if words is None:
            return False
        threading.Thread(target=call_and_die, args=[left, words]).start()
        return True

    monkeypatch.setattr(keeper, "_calls", waiting)
    left.keeper.guard(left.listener)
    assert waits[:4] == [30, 30, 1, 0.5]
    assert left.grant.closes()


def test_a_daemon_that_hangs_on_the_line_does_not_keep_the_next_one_out(left: Left) -> None:
    left.guarding()
    with left.call() as hanging:
        protocol.close_all(protocol.receive(hanging)[1])
        with left.call() as daemon:
            words, fds = protocol.receive(daemon)
            protocol.close_all(fds)
            assert words[0] == "kept"
            protocol.send(daemon, ["close"])
            assert protocol.receive(daemon) == (["done"], [])


def test_a_word_while_the_connection_is_being_closed_is_not_lost(left: Left) -> None:
    left.store.backend.answers = False
    left.guarding()
    assert left.tablet.closes()  # it waits for the backend now
    new = Kept()
    with left.call() as daemon:
        protocol.send(daemon, ["keep", "tablet"], [new.fd])
        os.close(new.fd)
        words, fds = protocol.receive(daemon)
        protocol.close_all(fds)
        assert words == ["kept", "grant.0.8", "channel.15.1"]
        assert protocol.receive(daemon) == (["done"], [])
        assert new.open_somewhere()
    assert new.closes()
    left.store.backend.answers = True
    left.store.backend.react()


def test_a_descriptor_that_does_not_arrive_is_refused(left: Left) -> None:
    left.guarding()
    with left.call() as daemon:
        protocol.close_all(protocol.receive(daemon)[1])
        protocol.send(daemon, ["keep", "grant.0.9"])
        assert protocol.receive(daemon) == (["refused"], [])
        protocol.send(daemon, ["serving"])
        assert protocol.receive(daemon) == (["done"], [])


def test_what_the_guardian_does_not_get_is_not_shared(guardian: Guardian, kept: Kept) -> None:
    guardian.keep("tablet", kept.fd)
    before = resource.prlimit(process(), resource.RLIMIT_NOFILE)
    resource.prlimit(process(), resource.RLIMIT_NOFILE, (3, before[1]))
    with pytest.raises(XenabsError, match=r"did not get the descriptor of grant\.0\.8"):
        guardian.keep("grant.0.8", kept.fd)
    resource.prlimit(process(), resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("call", ["keep", "drop", "hold", "serving"])
def test_a_guardian_that_hangs_is_told_in_a_sentence(
    guardian: Guardian, kept: Kept, tmp_path: Path, call: str
) -> None:
    guardian.keep("tablet", kept.fd)
    hanging = process()
    os.kill(hanging, signal.SIGSTOP)
    guardian._line.settimeout(0.1)
    arguments = {"keep": ["keyboard", kept.fd], "serving": []}.get(call, ["tablet"])
    with pytest.raises(XenabsError, match="has not answered"):
        getattr(guardian, call)(*arguments)
    guardian.dismiss()
    with pytest.raises(XenabsError, match="has not answered"):
        Guardian("vkbd-0", tmp_path, answer=0.1)
    os.kill(hanging, signal.SIGKILL)


def test_what_was_said_to_one_that_hung_is_settled_with_the_next_call(
    guardian: Guardian, kept: Kept, tmp_path: Path
) -> None:
    guardian.keep("tablet", kept.fd)
    os.kill(process(), signal.SIGSTOP)
    guardian._line.settimeout(0.1)
    with pytest.raises(XenabsError):
        guardian.drop("tablet")
    os.kill(process(), signal.SIGCONT)
    guardian.dismiss()
    heir = Guardian("vkbd-0", tmp_path)
    assert heir.kept == {}
    heir.dismiss()


def test_the_guardian_loads_neither_the_pump_nor_ctypes() -> None:
    run = "import sys, xenabs.guardian.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.split())
    assert "xenabs.guardian.keeper" in loaded
    assert loaded.isdisjoint({"ctypes", "evdev", "xenabs.kbdif.ring", "xenabs.sources"})
