"""A vkbd taken from the kernel's driver and given back, with kernels that make devices anew and
kernels that do not, and processes killed at each step."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_double import OUR_PAGE, Killed, World
from qemu_double import BACKEND, FRONTEND, FakeShare

from xenabs.errors import XenabsError
from xenabs.kbdif.nodes import XenbusState
from xenabs.kbdif.ring import Output
from xenabs.sources.ring import Phase, RingSource
from xenabs.xen import autoprobe, bus, kernel_driver
from xenabs.xen.xenbus import Frontend

SEEDS = range(6)
KERNELS = pytest.mark.parametrize("resets", [False, True], ids=["Linux 6.1", "Linux 7.3"])

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Worlds whose time goes by only while somebody waits."""
    current: list[World] = []

    def counted(change: Callable[..., None]) -> Callable[..., None]:
        def count(*words: Any, **named: Any) -> None:
            current[-1].count()
            change(*words, **named)

        return count

    for change in ("_write", "_remove_mark"):
        monkeypatch.setattr(autoprobe, change, counted(getattr(autoprobe, change)))
    monkeypatch.setattr(autoprobe, "RUN", tmp_path / "run")
    monkeypatch.setattr(kernel_driver.time, "monotonic", lambda: current[-1].now)
    monkeypatch.setattr(kernel_driver.time, "sleep", lambda seconds: current[-1].pause(seconds))

    def build(**how: Any) -> World:
        version = "7.3.4-amd64" if how["resets"] else "6.1.0-56-amd64"
        monkeypatch.setattr(os, "uname", lambda: type("uname", (), {"release": version}))
        directory = tmp_path / str(len(current))
        directory.mkdir()
        current.append(World(directory, **how))
        return current[-1]

    yield build


class Frontends:
    """The processes of ours that follow one another in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.freed_at: list[str | None] = []
        self.share: FakeShare | None = None
        self.output = Output(os.open(os.devnull, os.O_WRONLY), frozenset())

    def new_share(self, _domain: int) -> FakeShare:
        self.share = FakeShare(self.world.store, self.freed_at)
        return self.share

    def connect(self) -> RingSource:
        """Do what a daemon does until it is connected."""
        store, device = self.world.store, self.world.device
        autoprobe.restore(device.bus)
        if not device.exists():
            kernel_driver.give_back(store, device)
        kept = self.share if self.share is not None and self.share.open else None
        source = RingSource(
            Frontend(store, FRONTEND),
            self.output,
            self.output,
            self.new_share,
            adopted=kept,
            initialise=lambda: kernel_driver.initialise(store, device),
        )
        store.fired = True
        for _ in range(300):
            if store.fired:
                store.fired = False
                if source.phase is not Phase.IDLE or kernel_driver.take(store, device):
                    source.step()
            if source.phase is Phase.CONNECTED:
                return source
            self.world.pause(kernel_driver.LOOK)
        raise AssertionError(f"not connected: {self.world.states()}")

    def end(self, source: RingSource) -> None:
        """Do what a daemon does when it is told to end."""
        source.close()
        for _ in range(100):
            source.step()
            if source.phase is Phase.CLOSED:
                break
            self.world.store.pause(kernel_driver.LOOK)
        kernel_driver.give_back(self.world.store, self.world.device)

    def close_kept(self) -> None:
        """Do what a guardian does when no daemon comes."""
        if self.share is None or not self.share.open:
            return
        frontend = Frontend(self.world.store, FRONTEND)
        while self.world.backend.mapped == OUR_PAGE:
            frontend.set_state(XenbusState.CLOSING)
            self.world.store.pause(kernel_driver.LOOK)
        self.freed_at.append(self.world.states()[1])
        self.share = None

    def is_connected(self) -> bool:
        return (
            self.world.backend.mapped == OUR_PAGE
            and not self.world.bound
            and self.world.states() == ("4", "4")
        )


@KERNELS
@pytest.mark.parametrize("seed", SEEDS)
def test_taken_served_and_given_back_the_kernels_driver_works(
    make: Make, resets: bool, seed: int
) -> None:
    world = make(resets=resets, seed=seed)
    world.settle()
    assert world.kernel_serves()
    frontends = Frontends(world)
    for _ in range(3):
        seen = world.resets_seen
        source = frontends.connect()
        world.settle()
        assert frontends.is_connected()
        assert world.resets_seen - seen == int(resets)
        frontends.end(source)
        world.settle()
        assert world.kernel_serves()
        assert not {"request-raw-pointer"} & {path.rsplit("/")[-1] for path in world.store.nodes}
    assert world.harm == []
    assert world.autoprobe.read_text() == "1"


@KERNELS
@pytest.mark.parametrize("heir", ["a next daemon", "release"])
@pytest.mark.parametrize("ending", [False, True], ids=["killed as it starts", "killed as it ends"])
@pytest.mark.parametrize("changes", range(16))
def test_whoever_is_killed_at_whatever_change_somebody_has_the_device_afterwards(
    make: Make, resets: bool, heir: str, ending: bool, changes: int
) -> None:
    for seed in SEEDS:
        world = make(resets=resets, seed=seed)
        world.settle()
        frontends = Frontends(world)
        source = frontends.connect() if ending else None
        world.left = changes
        try:
            if source is not None:
                frontends.end(source)
            else:
                frontends.connect()
        except Killed:
            pass
        world.left = None
        if heir == "release":
            frontends.close_kept()
            kernel_driver.give_back(world.store, world.device)
            world.settle()
            assert world.kernel_serves()
        else:
            frontends.connect()
            world.settle()
            assert frontends.is_connected()
        assert world.harm == []
        assert world.autoprobe.read_text() == "1"
        assert set(frontends.freed_at) <= {"2", "5", "6"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_device_that_the_kernel_dropped_at_boot_is_found_and_served(
    make: Make, seed: int
) -> None:
    world = make(resets=True, seed=seed)
    world.settle()
    world.bound = False
    world.local = None
    (world.device.bus / "devices/vkbd-0").rmdir()
    assert [device.name for device in bus.lost(world.store, world.device.bus)] == ["vkbd-0"]
    frontends = Frontends(world)
    seen = world.resets_seen
    frontends.connect()
    world.settle()
    assert frontends.is_connected()
    assert world.resets_seen - seen <= 1
    assert bus.lost(world.store, world.device.bus) == []


@KERNELS
def test_a_driver_whose_backend_is_silent_is_left_alone(make: Make, resets: bool) -> None:
    world = make(resets=resets, qemu=False)
    world.settle()
    before = dict(world.store.nodes)
    for _ in range(50):
        assert not kernel_driver.take(world.store, world.device)
        world.store.pause(kernel_driver.LOOK)
    assert world.store.nodes == before
    assert world.bound


@KERNELS
def test_release_does_not_say_well_done_of_a_driver_that_does_not_connect(
    make: Make, resets: bool
) -> None:
    world = make(resets=resets, qemu=False)
    with pytest.raises(XenabsError, match="not connected"):
        kernel_driver.give_back(world.store, world.device)
    assert world.bound


@KERNELS
@pytest.mark.parametrize("seed", SEEDS)
def test_a_driver_that_is_bound_and_closed_is_bound_again(
    make: Make, resets: bool, seed: int
) -> None:
    world = make(resets=resets, seed=seed)
    world.settle()
    Frontend(world.store, FRONTEND).set_state(XenbusState.CLOSING)
    world.settle()
    assert world.bound and world.states() == ("6", "6")
    kernel_driver.give_back(world.store, world.device)
    world.settle()
    assert world.kernel_serves()
    assert world.harm == []


def test_a_device_without_a_node_is_nobodys_to_give_back(make: Make) -> None:
    world = make(resets=False)
    world.settle()
    for path in [path for path in world.store.nodes if path.startswith((FRONTEND, BACKEND))]:
        del world.store.nodes[path]
    kernel_driver.give_back(world.store, world.device)
    assert world.store.nodes == {"domid": "1"}
