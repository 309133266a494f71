"""An X server of this machine, without a screen."""

import subprocess
from collections.abc import Iterator

import pytest
from Xlib.display import Display


@pytest.fixture(scope="session")
def display_name() -> Iterator[str]:
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    number = server.stdout.readline().decode().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture
def display(display_name: str) -> Iterator[Display]:
    connection = Display(display_name)
    yield connection
    connection.close()
