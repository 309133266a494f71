"""Real Xen: one boot for the whole run, and one guest for each module, as its WANTED says.

In the environment, XENABS_HOST is the suite that Xen and dom0 are to be of, and XENABS_SUITE that
of the guests whose module wants no special one.
"""

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Bed, Guest, suites
from testbed.probe import Pointer
from testbed.rfb import Rfb

pytest.register_assert_rewrite("core")


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    host = os.environ.get("XENABS_HOST", suites.DEFAULT)
    with tempfile.TemporaryDirectory(prefix="xenabs-test-") as name, Bed(Path(name), host) as up:
        yield up


@pytest.fixture(scope="module")
def guest(bed: Bed, request: pytest.FixtureRequest) -> Iterator[Guest]:
    wanted = request.module.WANTED
    if wanted.suite == suites.DEFAULT:
        suite = os.environ.get("XENABS_SUITE", suites.DEFAULT)
        wanted = dataclasses.replace(wanted, suite=suite)
    yield bed.start_guest(wanted)
    bed.destroy_guest()


@pytest.fixture(scope="module")
def vnc(bed: Bed, guest: Guest) -> Iterator[Rfb]:
    with bed.vnc() as connection:
        yield connection


@pytest.fixture(scope="module")
def pointer(guest: Guest, vnc: Rfb) -> Iterator[Pointer]:
    with Pointer(guest, vnc) as probe:
        yield probe


@pytest.fixture
def window(pointer: Pointer) -> Iterator[Pointer]:
    """The probe with its window open, the pointer at rest in a corner, and no event untold."""
    pointer.open_window()
    pointer.move_and_read(0, 0)
    pointer.events()
    yield pointer
    pointer.close_window()
