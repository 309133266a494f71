"""The guardian: a process that keeps what is shared when the daemon dies at any moment.

A page whose last descriptor is closed goes back to the kernel, even by kill -9, even while the
backend writes to it: that corrupts the guest. So a second process holds the same descriptors and
sleeps on a pipe from the daemon. A byte means that the backend has let go and so may the guardian.
The pipe's end without one means that the daemon died: then the guardian closes the connection, and
keeps everything until the backend is at Closing or Closed.
"""

import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

from xenabs import rundir
from xenabs.kbdif.nodes import LETTING_GO, XenbusState
from xenabs.xen.store import Store
from xenabs.xen.xenbus import Frontend

log = logging.getLogger("xenabs.guardian")


class Guardian:
    """The guardian of one connection of the frontend `path` ("device/vkbd/0").

    It inherits the descriptors `keep`, and the device's lock: nobody connects anew before it is
    done.
    """

    def __init__(self, path: str, keep: Sequence[int], lock: int) -> None:
        listen, self._line = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, path, str(listen), str(lock)],
                pass_fds=(listen, lock, *keep),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(listen)

    def dismiss(self) -> None:
        """The backend has let go: end the guardian."""
        os.write(self._line, b".")
        os.close(self._line)
        self._process.wait()


def guard(path: str, line: int, lock: int) -> None:
    """Keep what was inherited until the daemon says so, or is dead and the backend has let go."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(line, 1):
        return
    rundir.sign(lock)
    store = Store()
    frontend = Frontend(store, path)
    log.warning("the daemon of %s is gone: closing its connection", path)
    watched = [path, *filter(None, [frontend.backend_path()])]
    for each in watched:
        store.watch(each)
    while (state := frontend.backend_state()) not in LETTING_GO:
        frontend.set_state(XenbusState.CLOSING)
        select.select([store], [], [])
        store.watched()
    frontend.set_state(XenbusState.CLOSED)
    log.warning("the backend of %s is at %s: done", path, state)


if __name__ == "__main__":
    logging.basicConfig(format="%(name)s: %(message)s")
    guard(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
