"""The service manager (systemd): telling it how we are, and descriptors that it keeps for us.

Its descriptor store outlives a crash: the next process of the service finds in LISTEN_FDS what the
last one had stored, beside the sockets of its units (sd_notify(3), sd_listen_fds(3),
systemd.service(5) FileDescriptorStoreMax=).
Without a service manager every call does nothing, and with one that does not listen none raises:
what it must hear waits for it WAIT seconds, then is logged as lost; the rest waits for nothing.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Sequence

log = logging.getLogger(__name__)

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""

WAIT = 5.0
"""Seconds that a full queue of the service manager is waited for, where what is said must not be
lost: that the service is ready, and what to keep."""


class ServiceManager:
    """The one that started this process, if one did."""

    def __init__(self) -> None:
        """Take its address and the given descriptors out of the environment."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = os.environ.pop("WATCHDOG_USEC", "")
        self.watchdog_interval = int(interval) / 1e6 if interval.isdecimal() else 0.0
        """Seconds within which `alive` must be called again; 0 if never."""
        self._ready = False
        self.given = _given()
        """Descriptors by name: the service's sockets, and what an earlier process of it stored."""

    def ready(self) -> None:
        """Tell that the service does what it is there for; once, and again if that was lost."""
        if not self._ready:
            self._ready = self._notify("READY=1", wait=WAIT)

    def status(self, sentence: str) -> None:
        """Set what `systemctl status` shows, unless the queue is full."""
        self._notify(f"STATUS={sentence}")

    def alive(self) -> None:
        """Content the watchdog, unless the queue is full: then the manager reads late, too."""
        self._notify("WATCHDOG=1")

    def store(self, name: str, fd: int) -> None:
        """Keep a descriptor under a name until `forget`, whatever becomes of its other end."""
        self._notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [fd], wait=WAIT)

    def forget(self, name: str) -> None:
        """Keep a descriptor no longer."""
        self._notify(f"FDSTOREREMOVE=1\nFDNAME={name}", wait=WAIT)

    def _notify(self, text: str, fds: Sequence[int] = (), wait: float = 0.0) -> bool:
        """Say it within `wait` seconds and return whether that worked; 0: now or not at all."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(wait)
                line.connect(self._address)
                if fds:
                    socket.send_fds(line, [text.encode()], list(fds))
                else:
                    line.send(text.encode())
        except OSError as error:
            if wait:
                words = text.replace("\n", " ")
                log.warning("the service manager has not heard %r: %s", words, error)
            return False
        return True


class Watchdog:
    """Contents the service manager's watchdog from the loop that does the work.

    An alarm wakes the loop twice in each interval, by `signal.set_wakeup_fd`, which the loop's
    owner has set and waits for; its handler does nothing. So a thread that hangs feeds nothing,
    and a loop that has nothing to do for hours does.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._period = manager.watchdog_interval / 2
        self._due = 0.0
        if self._period:
            signal.signal(signal.SIGALRM, lambda _number, _frame: None)
            signal.setitimer(signal.ITIMER_REAL, self._period, self._period)

    def beat(self) -> None:
        """Content the watchdog if that is due: called each time the loop goes round."""
        if self._period and time.monotonic() >= self._due:
            self._manager.alive()
            # The alarm may be a little early by this clock.
            self._due = time.monotonic() + self._period * 0.9

    def stop(self) -> None:
        """Stop the alarm: Python gives signals back at its end, and this one would kill it."""
        if self._period:
            signal.setitimer(signal.ITIMER_REAL, 0)


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
