"""An X server of this machine, without a screen."""

from collections.abc import Iterator

import pytest
from x_servers import xvfb
from Xlib.display import Display


@pytest.fixture(scope="session")
def display_name() -> Iterator[str]:
    with xvfb() as server:
        yield server.name


@pytest.fixture
def display(display_name: str) -> Iterator[Display]:
    connection = Display(display_name)
    yield connection
    connection.close()
