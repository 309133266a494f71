"""The daemon's end of the line to its guardian."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.guardian import line
from xenabs.rundir import RUN

ATTEMPTS = 3
"""A guardian that has nothing to keep ends, perhaps just as somebody calls."""


class Guardian:
    """A device's guardian; started where it does not run yet.

    Whoever makes one holds the device's lock. `kept` is what the guardian keeps, by name.
    """

    def __init__(self, device: str, run: Path = RUN) -> None:
        """Connect, and be given what an earlier daemon kept. Raises XenabsError if that fails."""
        self._device, self._run = device, run
        self._line, self.kept = self._connect()

    @classmethod
    def running(cls, device: str, run: Path = RUN) -> "Guardian | None":
        """The one that runs already, None if none does."""
        try:
            _call(line.address(device, run)).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        return cls(device, run)

    def fileno(self) -> int:
        """Readable when the guardian is gone: it is time for `renew`."""
        return self._line.fileno()

    def keep(self, name: str, fd: int) -> None:
        """Keep a descriptor until `drop`, whatever becomes of this process."""
        self.kept[name] = fd
        if not self._say([line.KEEP, name], [fd]):
            self.renew()

    def drop(self, name: str) -> None:
        """Keep a descriptor no longer."""
        self.kept.pop(name, None)
        if not self._say([line.DROP, name]):
            self.renew()

    def hold(self, name: str) -> None:
        """Keep a descriptor until the guest ends, and never give it to a daemon again."""
        while not self._say([line.HOLD, name]):
            self.renew()
        self.kept.pop(name, None)

    def renew(self) -> None:
        """Have a new guardian keep what the last one, which is gone, kept."""
        self._line.close()
        self._line, found = self._connect()
        line.close_all(list(found.values()))
        for name in found.keys() - self.kept.keys():
            self._say([line.DROP, name])
        for name in self.kept.keys() - found.keys():
            self._say([line.KEEP, name], [self.kept[name]])

    def close_connection(self, timeout: float) -> bool:
        """Have it lead the backend to Closing and drop all; False after so many seconds."""
        self._line.settimeout(timeout)
        try:
            return self._say([line.CLOSE])
        except TimeoutError:
            return False

    def dismiss(self) -> None:
        """Hang up; a guardian that keeps nothing ends."""
        self._line.close()

    def _say(self, words: list[str], fds: list[int] | None = None) -> bool:
        try:
            line.send(self._line, words, fds or [])
        except ConnectionError:
            return False
        return line.receive(self._line)[0] == [line.DONE]

    def _connect(self) -> tuple[socket.socket, dict[str, int]]:
        for _ in range(ATTEMPTS):
            try:
                connection = _call(line.address(self._device, self._run))
            except (FileNotFoundError, ConnectionRefusedError):
                connection = self._start()
            words, fds = line.receive(connection)
            if words:
                return connection, dict(zip(words[1:], fds, strict=True))
            connection.close()
        raise XenabsError(
            f"the guardian of {self._device} does not start: see the lines above, and the journal "
            f"of xenabs-guardian@{self._device}.service"
        )

    def _start(self) -> socket.socket:
        """A call to a new guardian, which listens at its standard input."""
        address = line.address(self._device, self._run)
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(address))
            address.chmod(0o600)
            listener.listen()
            connection = _call(address)
            subprocess.Popen(
                # systemd-shutdown(8) leaves processes alone whose name begins with "@".
                ["@xenabs-guardian", "-m", "xenabs.guardian", self._device],
                executable=sys.executable,
                # Under that name Python does not find the virtual environment that it is in.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=listener.fileno(),
                start_new_session=True,
            )
        return connection


def _call(address: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(address))
    except BaseException:
        connection.close()
        raise
    return connection
