"""The service manager (systemd): telling it how we are, and descriptors that it keeps for us.

Its descriptor store outlives a crash: the next process of the service finds in LISTEN_FDS what the
last one had stored, beside the sockets of its units (sd_notify(3), sd_listen_fds(3),
systemd.service(5) FileDescriptorStoreMax=).
Without a service manager every call does nothing.
"""

import os
import socket
from collections.abc import Sequence

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""


class ServiceManager:
    """The one that started this process, if one did."""

    def __init__(self) -> None:
        """Take its address and the given descriptors out of the environment."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = os.environ.pop("WATCHDOG_USEC", "")
        self.watchdog_interval = int(interval) / 1e6 if interval.isdecimal() else 0.0
        """Seconds within which `alive` must be called again; 0 if never."""
        self.given = _given()
        """Descriptors by name: the service's sockets, and what an earlier process of it stored."""

    def ready(self) -> None:
        """The service does what it is there for."""
        self._notify("READY=1")

    def status(self, sentence: str) -> None:
        """What `systemctl status` shows."""
        self._notify(f"STATUS={sentence}")

    def alive(self) -> None:
        """Content the watchdog."""
        self._notify("WATCHDOG=1")

    def store(self, name: str, fd: int) -> None:
        """Keep a descriptor under a name until `forget`, whatever becomes of its other end."""
        self._notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [fd])

    def forget(self, name: str) -> None:
        """Keep a descriptor no longer."""
        self._notify(f"FDSTOREREMOVE=1\nFDNAME={name}")

    def _notify(self, text: str, fds: Sequence[int] = ()) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.connect(self._address)
            if fds:
                socket.send_fds(line, [text.encode()], list(fds))
            else:
                line.send(text.encode())


def _given() -> dict[str, int]:
    pid, count, names = (
        os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    fds = range(FIRST_FD, FIRST_FD + int(count))
    for fd in fds:
        os.set_inheritable(fd, False)
    return dict(zip(names.split(":"), fds, strict=False))
