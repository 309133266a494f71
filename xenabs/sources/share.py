"""What a frontend shares with its backend: one page and one event channel, kept by a guardian."""

from typing import Any, Protocol

from xenabs.kbdif import nodes
from xenabs.sources.guardian import Guardian
from xenabs.xen.event_channel import EventChannel
from xenabs.xen.frame import frame_number
from xenabs.xen.grant import Grant


class Shared(Protocol):
    """A page and an event channel that the backend may use until `close`."""

    @property
    def page(self) -> Any: ...
    @property
    def channel_fd(self) -> int: ...
    @property
    def channel_port(self) -> int: ...
    def keys(self) -> dict[str, str | None]: ...
    def close(self) -> None: ...


class Share:
    """A page by grant and frame number, and an event channel, for one backend domain.

    `path` is the frontend's directory and `lock` the descriptor of the device's lock, both for the
    guardian.
    """

    def __init__(self, domain: int, *, path: str, lock: int) -> None:
        """Allocate both. Raises XenabsError, with nothing left behind, if that cannot be."""
        self._grant = Grant(domain)
        try:
            self._frame = frame_number(self._grant.page)
            self._channel = EventChannel(domain)
        except BaseException:
            self._grant.close()
            raise
        self.page = self._grant.page
        self.channel_fd = self._channel.fd
        self.channel_port = self._channel.port
        self._guardian = Guardian(path, [self._grant.fd, self._channel.fd], lock)

    def keys(self) -> dict[str, str | None]:
        """What the frontend's keys must say; QEMU goes by page-ref, others by page-gref."""
        return {
            nodes.PAGE_REF: str(self._frame),
            nodes.PAGE_GREF: str(self._grant.reference),
            nodes.EVENT_CHANNEL: str(self.channel_port),
        }

    def close(self) -> None:
        """Take both back. Only when the backend has let go of them."""
        self._channel.close()
        self._grant.close()
        self._guardian.dismiss()
