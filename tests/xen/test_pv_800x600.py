"""The kernel driver's own size: a PV guest of 800 x 600, brought up as a person does it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pointing import every_pixel, kernel_harm, misplaced

from testbed import Bed, Guest
from testbed.probe import Pointer

SIZE = (800, 600)


def command(bed: Bed, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "testbed", *words],
        env={**os.environ, "XENABS_TESTBED": str(bed.directory)},
        input=stdin,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def up(bed: Bed) -> dict[str, str]:
    done = command(bed, "up", "--guest", "pv", "--size", "800x600")
    assert done.returncode == 0, done.stderr.decode()
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def guest(bed: Bed, up: dict[str, str]) -> Iterator[Guest]:
    yield Bed.running(bed.directory).guest


def test_every_pixel_is_the_one_the_vnc_client_named(pointer: Pointer) -> None:
    assert pointer.screen == SIZE
    assert misplaced(pointer, every_pixel(*SIZE)) == {}


def test_up_says_where_the_vnc_server_is(bed: Bed, up: dict[str, str]) -> None:
    assert up["vnc"] == "{}:{}".format(*bed.vnc_address)


def test_sh_passes_stdin_output_and_status(bed: Bed, guest: Guest) -> None:
    done = command(bed, "sh", "guest", "--", "sh", "-c", "cat; echo no >&2; exit 7", stdin=b"yes")
    assert (done.stdout, done.stderr, done.returncode) == (b"yes", b"no\n", 7)
    status = command(bed, "sh", "guest", "--", "xenabs", "status", "--json")
    (state,) = json.loads(status.stdout)
    assert (state["source"], state["backend"]["state"]) == ("ring", "Connected")


def test_put_and_shot(bed: Bed, guest: Guest, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho run\n")
    script.chmod(0o755)
    assert command(bed, "put", str(script), "guest:/tmp/script").returncode == 0
    assert guest.run(["/tmp/script"]).stdout == "run\n"
    picture = tmp_path / "shot.png"
    assert command(bed, "shot", str(picture)).returncode == 0
    assert Image.open(picture).size == SIZE


def test_the_kernel_log_is_clean(guest: Guest) -> None:
    assert kernel_harm(guest) == []
