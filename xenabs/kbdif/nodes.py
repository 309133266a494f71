"""XenStore keys of xenkbd and the states of xenbus (kbdif.h and xenbus.h, Xen's public headers)."""

from enum import IntEnum


class XenbusState(IntEnum):
    """The key `state` at either end (xen/io/xenbus.h)."""

    UNKNOWN = 0
    INITIALISING = 1
    INIT_WAIT = 2
    INITIALISED = 3
    CONNECTED = 4
    CLOSING = 5
    CLOSED = 6
    RECONFIGURING = 7
    RECONFIGURED = 8

    @classmethod
    def parse(cls, text: str | None) -> "XenbusState":
        """The state that a node's text means; anything else, as no text at all, is UNKNOWN."""
        try:
            return cls(int(text or ""))
        except ValueError:
            return cls.UNKNOWN

    @property
    def title(self) -> str:
        """The state's name as Xen writes it ("InitWait")."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    def __str__(self) -> str:
        return f"{self.value} ({self.title})"


LETTING_GO = (XenbusState.CLOSING, XenbusState.CLOSED)
"""The backend's states in which it does not use what the frontend shares."""

NOT_CONNECTED = (XenbusState.UNKNOWN, XenbusState.INITIALISING, XenbusState.INIT_WAIT)
"""The backend's states before it connects to what a frontend shares."""

STATE = "state"

# The frontend's directory, device/vkbd/N: where its other end is,
BACKEND = "backend"
BACKEND_ID = "backend-id"
# what it shares,
PAGE_REF = "page-ref"
PAGE_GREF = "page-gref"
EVENT_CHANNEL = "event-channel"
# and what it asks for.
REQUEST_ABS_POINTER = "request-abs-pointer"
REQUEST_RAW_POINTER = "request-raw-pointer"

FRONTENDS_OWN = (
    PAGE_REF,
    PAGE_GREF,
    EVENT_CHANNEL,
    REQUEST_ABS_POINTER,
    REQUEST_RAW_POINTER,
)
"""The keys that a frontend writes, beside its state; they end with its connection."""

# The backend's directory: whether the toolstack is about to detach it,
ONLINE = "online"
# what it offers, and the screen its pixels are of.
FEATURE_ABS_POINTER = "feature-abs-pointer"
FEATURE_RAW_POINTER = "feature-raw-pointer"
WIDTH = "width"
HEIGHT = "height"
