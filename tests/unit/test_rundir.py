"""/run/xenabs: who has a device, what everyone may read of it, and what is root's alone."""

import logging
import os
import resource
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xenabs import rundir
from xenabs.errors import XenabsError
from xenabs.rundir import DeviceLock

HOLD = """
import sys, signal
from pathlib import Path
from xenabs.rundir import DeviceLock
lock = DeviceLock("vkbd-0", Path(sys.argv[1]))
lock.take()
print("has it", flush=True)
signal.pause()
"""
STATE = {"device": "vkbd-0", "source": "ring"}
TYPED = {"keys": 12}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the device."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def no_room() -> Iterator[None]:
    """Files can be made and not be filled, as in a full /run."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_holder_is_known_whatever_the_lock_says(
    holder: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    lock = DeviceLock("vkbd-0", tmp_path)
    (tmp_path / "vkbd-0.lock").write_text("1\n")
    assert lock.holder() == holder.pid
    with pytest.raises(XenabsError, match=f"process id {holder.pid}"):
        lock.take()


def test_the_holder_is_signalled(holder: subprocess.Popen[bytes], tmp_path: Path) -> None:
    DeviceLock("vkbd-0", tmp_path).signal_holder(signal.SIGTERM)
    assert holder.wait(10) == -signal.SIGTERM


def test_a_process_that_has_the_number_of_a_former_holder_is_not_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (tmp_path / "vkbd-0.lock").write_text(f"{innocent.pid}\n")
        lock = DeviceLock("vkbd-0", tmp_path)
        assert lock.holder() is None
        lock.signal_holder(signal.SIGKILL)
        watched = os.pidfd_open(innocent.pid)
        assert select.select([watched], [], [], 0)[0] == []
        os.close(watched)
        innocent.kill()


def test_who_waits_for_the_lock_is_not_taken_for_its_holder(
    holder: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with subprocess.Popen(["flock", tmp_path / "vkbd-0.lock", "true"]) as waiting:
        lock = DeviceLock("vkbd-0", tmp_path)
        while f" {waiting.pid} " not in rundir.LOCKS.read_text():
            assert waiting.poll() is None
        assert lock.holder() == holder.pid
        holder.kill()
        holder.wait()


@pytest.mark.parametrize("there", [False, True], ids=["new", "of a former version"])
def test_nobody_else_can_open_the_lock(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "vkbd-0.lock"
    if there:
        path.touch()
        path.chmod(0o644)
    DeviceLock("vkbd-0", tmp_path).take()
    assert mode(path) == 0o600


def test_a_link_in_the_lock_s_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "vkbd-0.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(XenabsError, match=r"vkbd-0\.lock cannot be made"):
        DeviceLock("vkbd-0", tmp_path).take()
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_is_had_though_there_is_no_room_to_write_in_it(tmp_path: Path) -> None:
    with no_room():
        DeviceLock("vkbd-0", tmp_path).take()
        assert DeviceLock("vkbd-0", tmp_path).holder() == os.getpid()


def test_a_directory_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(XenabsError, match="cannot be made") as told:
        DeviceLock("vkbd-0", tmp_path / "run").take()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_everyone_sees_the_state_and_nobody_else_the_counters(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        DeviceLock("vkbd-0", tmp_path / "run").take()
        rundir.write_state("vkbd-0", STATE, tmp_path / "run")
        rundir.write_counters("vkbd-0", TYPED, tmp_path / "run")
    finally:
        os.umask(before)
    run = tmp_path / "run"
    assert mode(run) == 0o755
    assert mode(run / "vkbd-0.json") == 0o644
    assert "12" not in (run / "vkbd-0.json").read_text()
    assert mode(run / "private") == 0o700
    assert mode(run / "private/counters/vkbd-0.json") == 0o600
    assert rundir.read_state("vkbd-0", run) == {**STATE, "counters": TYPED}


def test_what_others_can_see_does_not_change_as_somebody_types(tmp_path: Path) -> None:
    rundir.write_state("vkbd-0", STATE, tmp_path)
    rundir.write_counters("vkbd-0", TYPED, tmp_path)
    seen = [tmp_path, *tmp_path.iterdir()]
    before = [path.stat() for path in seen]
    rundir.write_counters("vkbd-0", {"keys": 123456}, tmp_path)
    assert [path.stat() for path in seen] == before


def test_without_the_right_the_counters_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir.write_state("vkbd-0", STATE, tmp_path)
    read = Path.read_text

    def refuse(path: Path) -> str:
        if "private" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert rundir.read_state("vkbd-0", tmp_path) == {**STATE, "counters": None}


def test_a_state_that_cannot_be_written_is_told_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rundir.write_state("vkbd-0", STATE, tmp_path)
    with no_room(), caplog.at_level(logging.WARNING):
        for _ in range(3):
            rundir.write_state("vkbd-0", {**STATE, "source": "other"}, tmp_path)
            rundir.write_counters("vkbd-0", TYPED, tmp_path)
    assert len(caplog.records) == 2
    assert rundir.read_state("vkbd-0", tmp_path) == {**STATE, "counters": None}
    rundir.write_counters("vkbd-0", TYPED, tmp_path)
    assert rundir.read_state("vkbd-0", tmp_path) == {**STATE, "counters": TYPED}


def test_an_end_removes_what_there_is(tmp_path: Path) -> None:
    rundir.remove_state("vkbd-0", tmp_path)
    rundir.write_state("vkbd-0", STATE, tmp_path)
    rundir.write_counters("vkbd-0", TYPED, tmp_path)
    rundir.remove_state("vkbd-0", tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
