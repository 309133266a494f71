"""The core for the cell that the environment names; `make matrix` calls pytest with this file."""

import os
from collections.abc import Callable

import pytest
from core import *  # noqa: F403

from matrix.cells import Cell
from testbed import Guest

WANTED = Cell.named(os.environ["XENABS_CELL"]).wanted()


@pytest.fixture(scope="module", autouse=True)
def kernel(guest: Guest, record_testsuite_property: Callable[[str, object], None]) -> None:
    """Note the guest's kernel for the table."""
    record_testsuite_property("kernel", guest.run(["uname", "-r"]).stdout.strip())
