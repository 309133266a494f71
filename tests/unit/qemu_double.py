"""QEMU's xenfb backend and XenStore, as far as a frontend can tell them from the real ones."""

import mmap
import struct
from collections.abc import Callable

from qemu_displays import Display, vnc

from xenabs.kbdif.nodes import XenbusState

FRONTEND = "device/vkbd/0"
BACKEND = "/local/domain/0/backend/vkbd/1/0"
OFFERED = {"feature-abs-pointer": "1", "feature-raw-pointer": "1"}


class FakeStore:
    """Nodes in memory; `changed` is told the paths of each change, in order."""

    def __init__(self) -> None:
        self.nodes = {"domid": "1", f"{FRONTEND}/backend": BACKEND, f"{FRONTEND}/backend-id": "0"}
        self.changed: Callable[[str], None] = lambda path: None
        self.log: list[tuple[str, str | None]] = []

    def read(self, path: str) -> str | None:
        return self.nodes.get(path)

    def write(self, path: str, text: str) -> None:
        self.change({path: text})

    def change(self, changes: dict[str, str | None]) -> None:
        for path, text in changes.items():
            self.log.append((path, text))
            if text is None:
                self.nodes.pop(path, None)
            else:
                self.nodes[path] = text
        for path in changes:
            self.changed(path)


class FakeShare:
    """A page and no event channel; notes the backend's state at the moment it is freed."""

    def __init__(self, store: FakeStore, freed_at: list[str | None]) -> None:
        self.page = mmap.mmap(-1, 4096)
        self.channel_fd, self.channel_port = -1, 0
        self.domain = store.nodes["domid"]
        self.abandoned = self.unmasked = False
        self._store, self._freed_at = store, freed_at

    def keys(self) -> dict[str, str | None]:
        return {"page-ref": "4711", "page-gref": "8", "event-channel": "15"}

    def is_current(self) -> bool:
        return True

    def unmask(self) -> None:
        self.unmasked = True

    @property
    def open(self) -> bool:
        return not self.page.closed

    def close(self) -> None:
        self._freed_at.append(self._store.read(f"{BACKEND}/state"))
        self.page.close()

    def abandon(self) -> None:
        self.abandoned = True
        self.page.close()


class QemuBackend:
    """Follows the frontend as QEMU's xen_be_check_state does (hw/xen/xen-legacy-backend.c)."""

    def __init__(self, store: FakeStore, features: dict[str, str] = OFFERED) -> None:
        self.store, self.features = store, features
        self.state = XenbusState.UNKNOWN
        self.answers = True
        self.display: Display = vnc(800, 600)

    def start(self) -> None:
        """A fresh process: whatever was before, it begins at Initialising."""
        self._enter(XenbusState.INITIALISING)
        self.react()

    def close(self) -> None:
        """The toolstack or QEMU ends the backend, gracefully."""
        self._enter(XenbusState.CLOSING)

    def react(self) -> bool:
        """Follow the frontend's state; whether anything was done."""
        frontend = XenbusState.parse(self.store.read(f"{FRONTEND}/state"))
        step = self._next(frontend) if self.answers else None
        if step is None:
            return False
        self._enter(step)
        return True

    def _next(self, frontend: XenbusState) -> XenbusState | None:
        s = XenbusState
        if frontend in (s.CLOSING, s.CLOSED):
            return None if self.state in (frontend, s.CLOSED) else frontend
        match self.state:
            case s.INITIALISING:
                for feature, text in self.features.items():
                    self.store.nodes[f"{BACKEND}/{feature}"] = text
                return s.INIT_WAIT
            case s.INIT_WAIT if frontend in (s.INITIALISED, s.CONNECTED):
                assert self.store.read(f"{FRONTEND}/page-ref") == "4711"
                return s.CONNECTED
            case s.CLOSED if frontend is s.INITIALISING:
                return s.INITIALISING
        return None

    def _enter(self, state: XenbusState) -> None:
        self.state = state
        self.store.write(f"{BACKEND}/state", str(state.value))

    def press(self, page: mmap.mmap, keycode: int, pressed: bool = True) -> None:
        """Write one KEY entry."""
        self._put(page, struct.pack("BBxxI", 3, pressed, keycode))

    def point(self, page: mmap.mmap, x: int, y: int) -> None:
        """Write the POS entry of a pixel that a viewer of `display` names."""
        self._put(page, struct.pack("Bxxxiii", 4, *self.display.raw(x, y), 0))

    def _put(self, page: mmap.mmap, entry: bytes) -> None:
        (prod,) = struct.unpack_from("I", page, 4)
        at = 1024 + prod % 51 * 40
        page[at : at + len(entry)] = entry
        struct.pack_into("I", page, 4, prod + 1)
