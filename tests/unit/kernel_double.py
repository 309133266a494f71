"""A guest's kernel with its bus "xen" and xen-kbdfront, beside QEMU's backend and XenStore.

It follows drivers/xen/xenbus/xenbus_probe.c, xenbus_client.c and drivers/input/misc/xen-kbdfront.c
of Linux 6.1 and 7.3. What the kernel and QEMU do on their own they do while somebody waits, in an
order that the world's random numbers choose.
"""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

from qemu_double import BACKEND, FRONTEND, FakeStore, QemuBackend

from xenabs.kbdif.nodes import XenbusState
from xenabs.xen.bus import Device

S = XenbusState
KERNELS_PAGE, OUR_PAGE = "1234", "4711"

PROBE_STEPS = 3
"""What else may happen until a driver that is probed has told the backend of its page: that takes
it about twenty requests of XenStore, and two input devices."""


class Qemu(QemuBackend):
    """QEMU's backend, which maps the page that the frontend names, whoever that is."""

    mapped: str | None = None

    def _next(self, frontend: XenbusState) -> XenbusState | None:
        if frontend in (S.CLOSING, S.CLOSED):
            # xen_be_disconnect: it unmaps, then says so.
            return None if self.state is frontend else frontend
        match self.state:
            case S.INIT_WAIT if frontend in (S.INITIALISED, S.CONNECTED):
                return S.CONNECTED
            case S.INIT_WAIT:
                return None
        return super()._next(frontend)

    def _enter(self, state: XenbusState) -> None:
        page = self.store.read(f"{FRONTEND}/page-ref") if state is S.CONNECTED else None
        if state is S.CONNECTED or state is S.CLOSING or state is S.CLOSED:
            self.mapped = page
        super()._enter(state)


class Silent:
    """A backend that nobody serves."""

    mapped: str | None = None

    def __init__(self, store: FakeStore) -> None:
        self.state = S.INITIALISING
        store.nodes[f"{BACKEND}/state"] = "1"

    def react(self) -> bool:
        return False


class WorldStore(FakeStore):
    """XenStore as one process sees it; time goes by only while that process waits."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.fired = True
        """A watch has something to tell that no `pause` has taken."""

    def change(self, changes: dict[str, str | None]) -> None:
        self._world.count()
        super().change(changes)
        self.fired = True

    def list(self, path: str) -> list[str]:
        under = [node for node in self.nodes if node.startswith(f"{path}/")]
        return sorted({node[len(path) + 1 :].split("/")[0] for node in under})

    def watch(self, path: str) -> None: ...

    def unwatch(self, path: str) -> None: ...

    def pause(self, timeout: float) -> None:
        self._world.pause(timeout)
        self.fired = False


class World:
    """A guest with vkbd-0 that the kernel has on its bus; `boot` has its driver bind."""

    def __init__(self, directory: Path, *, resets: bool, seed: int = 0, qemu: bool = True) -> None:
        self.resets = resets
        self.chance = random.Random(seed)
        self.now = 0.0
        self.left: int | None = None
        """Changes of XenStore and sysfs until this process is killed, None for never."""
        self.harm: list[str] = []
        self.resets_seen = 0
        self._events: deque[str] = deque()
        self._identity = 0
        self._probing = 0
        self.local: XenbusState | None = None
        self.bound = False
        (directory / "drivers/vkbd").mkdir(parents=True)
        (directory / "devices").mkdir()
        self.autoprobe = directory / "drivers_autoprobe"
        self.autoprobe.write_text("1")
        self.store = WorldStore(self)
        self.store.nodes[f"{FRONTEND}/state"] = "1"
        self.backend = Qemu(self.store) if qemu else Silent(self.store)
        self.store.changed = self._events.append
        self.device = FakeDevice("vkbd-0", directory, self)
        if qemu:
            self.backend.start()
        self.register()
        self._events.clear()

    def states(self) -> tuple[str | None, str | None]:
        """Return the frontend's and the backend's state."""
        return self.store.read(f"{FRONTEND}/state"), self.store.read(f"{BACKEND}/state")

    def kernel_serves(self) -> bool:
        """Return True if the kernel's driver is connected and its page the one that is mapped."""
        mapped = self.backend.mapped == KERNELS_PAGE
        return self.bound and mapped and self.states() == ("4", "4") and self.local is S.CONNECTED

    def count(self) -> None:
        """Note that a process changes something; raise Killed when it is its last moment."""
        if self.left is not None and not self._reacting:
            self.left -= 1
            if self.left < 0:
                raise Killed

    _reacting = False

    def pause(self, timeout: float) -> None:
        """Have the kernel and QEMU do a few things; nothing is done in vain for ever."""
        self.now += timeout
        self._reacting = True
        try:
            for _ in range(self.chance.randrange(4)):
                self.step()
        finally:
            self._reacting = False

    def settle(self) -> None:
        """Have the kernel and QEMU do all they have to do."""
        self._reacting = True
        for _ in range(200):
            if not self.step():
                self._reacting = False
                return
        raise AssertionError("the kernel and QEMU do not come to rest")

    def step(self) -> bool:
        """Do one thing; return False if there is none."""
        actors = [self._xenwatch, self.backend.react]
        self.chance.shuffle(actors)
        return any(act() for act in actors)

    # ---- the kernel

    def _xenwatch(self) -> bool:
        if self._probing:
            self._probing -= 1
            if not self._probing:
                self.probe()
            return True
        if not self._events:
            return False
        path = self._events.popleft()
        if path.startswith(f"{FRONTEND}/"):
            self._dev_changed()
        elif path == f"{BACKEND}/state" and self.bound:
            self._backend_changed(S.parse(self.store.read(path)))
        return True

    def _dev_changed(self) -> None:
        """xenbus_dev_changed."""
        if self.store.read(f"{FRONTEND}/backend") is None:
            self.unregister()
            return
        state = S.parse(self.store.read(f"{FRONTEND}/state"))
        if self.resets and self.local not in (None, state) and state is S.INITIALISING:
            self.resets_seen += 1
            self.unregister()
        if self.local is None and state is S.INITIALISING:
            self.register()

    def register(self) -> None:
        """xenbus_probe_node, in xenwatch, which sees the driver's own changes after the probe."""
        self.local = S.INITIALISING
        self._identity += 1
        (self.device.bus / "devices/vkbd-0").mkdir()
        if self.autoprobe.read_text() == "1":
            self.bound = True
            self._probing = PROBE_STEPS

    def unregister(self) -> None:
        if self.local is not None:
            self.remove()
            self.local = None
            self._probing = 0
            (self.device.bus / "devices/vkbd-0").rmdir()

    def probe(self) -> None:
        """xenkbd_probe and xenkbd_connect_backend."""
        self.bound = True
        self.store.change(
            {
                f"{FRONTEND}/request-abs-pointer": "1",
                f"{FRONTEND}/page-ref": KERNELS_PAGE,
                f"{FRONTEND}/page-gref": "9",
                f"{FRONTEND}/event-channel": "16",
            }
        )
        self._switch(S.INITIALISED)

    def remove(self) -> None:
        """xenkbd_remove, which frees the page."""
        if self.bound and self.backend.mapped == KERNELS_PAGE:
            self.harm.append(f"the kernel's page is freed at {self.states()}")
        self.bound = False

    def _switch(self, state: XenbusState) -> None:
        """xenbus_switch_state."""
        there = S.parse(self.store.read(f"{FRONTEND}/state"))
        if state is self.local:
            return
        if self.resets and there is not self.local and there is S.INITIALISING:
            return
        self.store.change({f"{FRONTEND}/state": str(state.value)})
        self.local = state

    def _backend_changed(self, state: XenbusState) -> None:
        """xenkbd_backend_changed."""
        if state in (S.INIT_WAIT, S.CONNECTED):
            self._switch(S.CONNECTED)
        elif state in (S.CLOSING, S.CLOSED):
            self._switch(S.CLOSED)

    # ---- sysfs

    def bind(self) -> None:
        self.count()
        if self.bound or self.local is None:
            raise OSError(19, "No such device")
        self._reacting = True
        if self.resets and self.states()[0] == "1":
            # xenwatch may have read Initialising, to compare it with the state of after the probe:
            # then the device is dropped, and its page is freed just as the backend connects to it.
            self.harm.append("the driver is bound to a device at Initialising")
        self.probe()
        self._reacting = False

    def unbind(self) -> None:
        self.count()
        if not self.bound:
            raise OSError(19, "No such device")
        self._reacting = True
        self.remove()
        self._switch(S.CLOSED)
        self._reacting = False


class Killed(Exception):
    """What a process notices of kill -9: nothing more."""


class FakeDevice(Device):
    """vkbd-0 of a world."""

    def __init__(self, name: str, bus: Path, world: World) -> None:
        super().__init__(name, bus)
        object.__setattr__(self, "_world", world)
        self._world: World

    def exists(self) -> bool:
        return self._world.local is not None

    def driver(self) -> str | None:
        return "vkbd" if self._world.bound else None

    def state(self) -> XenbusState | None:
        return self._world.local

    def identity(self) -> int | None:
        return self._world._identity if self.exists() else None

    def bind(self) -> None:
        self._world.bind()

    def unbind(self) -> None:
        self._world.unbind()
