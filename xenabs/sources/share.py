"""What a frontend shares with its backend: one page and one event channel.

The guardian keeps both, under names that tell a next process what they are (see
`xenabs.guardian.protocol`).
"""

import os
from typing import Any, Protocol

from xenabs.errors import XenabsError
from xenabs.guardian.protocol import CHANNEL, GRANT
from xenabs.kbdif import nodes
from xenabs.xen.event_channel import EventChannel
from xenabs.xen.frame import frame_number
from xenabs.xen.grant import Grant


class Keeping(Protocol):
    """Who keeps descriptors (see `xenabs.guardian.client.Guardian`)."""

    @property
    def kept(self) -> dict[str, int]: ...
    def keep(self, name: str, fd: int) -> None: ...
    def drop(self, name: str) -> None: ...
    def hold(self, name: str) -> None: ...


class Shared(Protocol):
    """A page and an event channel that the backend may use until `close`."""

    @property
    def page(self) -> Any: ...
    @property
    def channel_fd(self) -> int: ...
    @property
    def channel_port(self) -> int: ...
    @property
    def domain(self) -> str: ...
    def keys(self) -> dict[str, str | None]: ...
    def is_current(self) -> bool: ...
    def unmask(self) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Share:
    """A page by grant and frame number, and an event channel, both kept by the guardian."""

    def __init__(self, grant: Grant, channel: EventChannel, domain: str, guardian: Keeping) -> None:
        """Know of them. Raises XenabsError if the page's frame number is not certain."""
        self._grant, self._channel, self._guardian = grant, channel, guardian
        self._frame = frame_number(grant.page)
        self.domain = domain
        """The number of the domain that we were when the channel was made."""
        self.page = grant.page
        self.channel_fd, self.channel_port = channel.fd, channel.port
        self._grant_name = f"{GRANT}.{grant.offset}.{grant.reference}"
        self._channel_name = f"{CHANNEL}.{channel.port}.{domain}"

    @classmethod
    def with_backend(cls, backend: int, domain: str, guardian: Keeping) -> "Share":
        """A new one, for the backend's domain; `domain` is our own.

        Raises XenabsError, with nothing left behind, if that cannot be.
        """
        grant = Grant.to(backend)
        try:
            channel = EventChannel.to(backend)
            try:
                share = cls(grant, channel, domain, guardian)
                guardian.keep(share._grant_name, grant.fd)
                guardian.keep(share._channel_name, channel.fd)
            except BaseException:
                channel.close()
                raise
        except BaseException:
            grant.close()
            raise
        return share

    @classmethod
    def adopt(cls, guardian: Keeping) -> "Share | None":
        """The one that an earlier process left with the guardian, None if there is none.

        Half of one was never shared, and is given back to the kernel.
        """
        found = {name.split(".")[0]: (name, fd) for name, fd in guardian.kept.items()}
        grant, channel = found.get(GRANT), found.get(CHANNEL)
        if grant is None or channel is None:
            for name, fd in filter(None, (grant, channel)):
                guardian.drop(name)
                os.close(fd)
            return None
        _, offset, reference = grant[0].split(".")
        _, port, domain = channel[0].split(".")
        return cls(
            Grant(grant[1], int(offset), int(reference)),
            EventChannel(channel[1], int(port)),
            domain,
            guardian,
        )

    def keys(self) -> dict[str, str | None]:
        """What the frontend's keys must say; QEMU goes by page-ref, others by page-gref."""
        return {
            nodes.PAGE_REF: str(self._frame),
            nodes.PAGE_GREF: str(self._grant.reference),
            nodes.EVENT_CHANNEL: str(self.channel_port),
        }

    def is_current(self) -> bool:
        """Return True if the page has the frame number that `keys` tells; a restore changes it."""
        try:
            return frame_number(self.page) == self._frame
        except XenabsError:
            return False

    def unmask(self) -> None:
        """Let the event channel fire again, whatever a process that died has left of it."""
        self._channel.unmask()

    def close(self) -> None:
        """Take both back. Only when the backend has let go of them."""
        self._guardian.drop(self._channel_name)
        self._guardian.drop(self._grant_name)
        self._channel.close()
        self._grant.close()

    def abandon(self) -> None:
        """The guest was restored: the page is ours alone, the channel is nobody's to close.

        It is one of a former life, and the kernel has a BUG for whoever closes it last.
        """
        self._guardian.hold(self._channel_name)
        self._guardian.drop(self._grant_name)
        self._channel.close()
        self._grant.close()
