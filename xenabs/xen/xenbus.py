"""One device's two ends in XenStore, as its frontend sees them."""

from dataclasses import dataclass
from typing import Protocol

from xenabs.errors import XenabsError
from xenabs.kbdif import nodes
from xenabs.kbdif.nodes import XenbusState

DOMID_FIRST_RESERVED = 0x7FF0
"""Numbers of domains are below this (Xen's public header xen.h)."""


class StoreLike(Protocol):
    """What a frontend asks of XenStore (see `xenabs.xen.store.Store`)."""

    def read(self, path: str) -> str | None: ...
    def write(self, path: str, text: str) -> None: ...
    def change(self, changes: dict[str, str | None]) -> None: ...


@dataclass(frozen=True)
class Frontend:
    """The frontend's directory `path` ("device/vkbd/0") and, through it, the backend's."""

    store: StoreLike
    path: str

    def read(self, key: str) -> str | None:
        """The text of one of the frontend's keys, None without."""
        return self.store.read(f"{self.path}/{key}")

    def change(self, changes: dict[str, str | None]) -> None:
        """Set the frontend's keys, or remove those given as None, in one transaction."""
        self.store.change({f"{self.path}/{key}": text for key, text in changes.items()})

    def state(self) -> XenbusState:
        """The frontend's own state."""
        return XenbusState.parse(self.read(nodes.STATE))

    def set_state(self, state: XenbusState) -> None:
        """Set the frontend's state, unless it has it."""
        if self.state() != state:
            self.store.write(f"{self.path}/{nodes.STATE}", str(state.value))

    def domain(self) -> str:
        """The number of this guest's domain; a restore changes it."""
        return self.store.read("domid") or ""

    def was_restored(self, domain: str) -> bool:
        """Whether this is another life than the one in which we were `domain` and shared something.

        Most restores change the domain's number. A migration may come upon the same one; but then
        the toolstack has made the frontend's directory anew, and the backend has not seen a page.
        """
        return self.domain() != domain or (
            self.read(nodes.EVENT_CHANNEL) is None
            and self.state() is XenbusState.INITIALISING
            and self.backend_state() in (XenbusState.INITIALISING, XenbusState.INIT_WAIT)
        )

    def backend_path(self) -> str | None:
        """The backend's directory, None when the device is gone."""
        return self.read(nodes.BACKEND)

    def backend_id(self) -> int:
        """Return the number of the backend's domain, 0..32751; 0 (the host) where none is told.

        Raises XenabsError if what is told is no domain's number.
        """
        text = self.read(nodes.BACKEND_ID)
        if not text:
            return 0
        if not (text.isascii() and text.isdecimal() and int(text) < DOMID_FIRST_RESERVED):
            raise XenabsError(
                f"{self.path}/{nodes.BACKEND_ID} in XenStore is {text!r}, which is no domain: "
                "detach the device and attach it again (xl vkb-detach, vkb-attach)"
            )
        return int(text)

    def backend_state(self) -> XenbusState:
        """The backend's state; UNKNOWN when its directory is gone or not ours to read."""
        return XenbusState.parse(self.read_backend(nodes.STATE))

    def read_backend(self, key: str) -> str | None:
        """The text of one of the backend's keys; None without, or when it is not ours to read."""
        path = self.backend_path()
        try:
            return self.store.read(f"{path}/{key}") if path else None
        except PermissionError:
            return None

    def being_detached(self) -> bool:
        """Whether the toolstack is about to remove the device."""
        return self.read_backend(nodes.ONLINE) == "0"

    def offers(self, feature: str) -> bool:
        """Whether the backend's key `feature` says 1."""
        return self.read_backend(feature) == "1"
