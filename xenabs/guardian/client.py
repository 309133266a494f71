"""The daemon's end of the line to its guardian."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.guardian import protocol
from xenabs.rundir import RUN

ATTEMPTS = 3
"""A guardian that has nothing to keep ends, perhaps just as somebody calls."""

ANSWER = 20.0
"""Seconds that a guardian has for an answer. It answers a call late while it gives the device back.
Less than half of the units' WatchdogSec=, so that this sentence comes before the watchdog."""


class Guardian:
    """A device's guardian; started where it does not run yet.

    Whoever makes one holds the device's lock. `kept` is what the guardian keeps, by name. Every
    call raises XenabsError if the guardian does not answer within `answer` seconds, or cannot be
    started: what was said then may have been done or not, and is settled by the next connection.
    """

    def __init__(self, device: str, run: Path = RUN, answer: float = ANSWER) -> None:
        """Connect, and be given what an earlier daemon kept. Raises XenabsError if that fails."""
        self._device, self._run, self._answer = device, run, answer
        self._serving = False
        self._line, self.kept = self._connect()

    @classmethod
    def running(cls, device: str, run: Path = RUN, answer: float = ANSWER) -> "Guardian | None":
        """The one that runs already, None if none does."""
        try:
            _call(protocol.address(device, run), answer).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except BlockingIOError as error:
            raise _silent(device, answer) from error
        return cls(device, run, answer)

    def fileno(self) -> int:
        """Readable when the guardian is gone: it is time for `renew`."""
        return self._line.fileno()

    def keep(self, name: str, fd: int) -> None:
        """Keep a descriptor until `drop`, whatever becomes of this process.

        Raises XenabsError if the guardian has not got it: nothing of it may be shared then.
        """
        self.kept[name] = fd
        if not self._say([protocol.KEEP, name], [fd]):
            self.renew()

    def drop(self, name: str) -> None:
        """Keep a descriptor no longer."""
        self.kept.pop(name, None)
        if not self._say([protocol.DROP, name]):
            self.renew()

    def hold(self, name: str) -> None:
        """Keep a descriptor until the guest ends, and never give it to a daemon again."""
        while not self._say([protocol.HOLD, name]):
            self.renew()
        self.kept.pop(name, None)

    def serving(self) -> None:
        """Say that this daemon does its work: the guardian's patience begins when it ends."""
        if not self._serving:
            self._serving = True
            if not self._say([protocol.SERVING]):
                self.renew()

    def renew(self) -> None:
        """Have a new guardian keep what the last one, which is gone, kept."""
        for _ in range(ATTEMPTS):
            self._line.close()
            self._line, found = self._connect()
            protocol.close_all(list(found.values()))
            words = [[protocol.DROP, name] for name in found.keys() - self.kept.keys()]
            words += [[protocol.SERVING]] if self._serving else []
            missing = self.kept.keys() - found.keys()
            if all(self._say(each) for each in words) and all(
                self._say([protocol.KEEP, name], [self.kept[name]]) for name in missing
            ):
                return
        raise self._does_not_start()

    def close_connection(self, timeout: float) -> bool:
        """Have it lead the backend to Closing and drop all; False after so many seconds.

        The line is of no use after that.
        """
        self._line.settimeout(timeout)
        try:
            protocol.send(self._line, [protocol.CLOSE])
            return protocol.receive(self._line)[0] == [protocol.DONE]
        except (ConnectionError, TimeoutError):
            return False
        finally:
            self._line.close()

    def dismiss(self) -> None:
        """Hang up; a guardian that keeps nothing ends."""
        self._line.close()

    def _say(self, words: list[str], fds: list[int] | None = None) -> bool:
        """Say something and hear the answer; False if the guardian is gone.

        Raises XenabsError if it refuses or does not answer.
        """
        try:
            protocol.send(self._line, words, fds or [])
            answer, _ = protocol.receive(self._line)
        except ConnectionError:
            return False
        except TimeoutError as error:
            raise _silent(self._device, self._answer) from error
        if answer == [protocol.REFUSED]:
            raise XenabsError(
                f"the guardian of {self._device} did not get the descriptor of {words[1]}: see its "
                "limit of open files (LimitNOFILE=), then start xenabs again"
            )
        return answer == [protocol.DONE]

    def _connect(self) -> tuple[socket.socket, dict[str, int]]:
        for _ in range(ATTEMPTS):
            try:
                connection = _call(protocol.address(self._device, self._run), self._answer)
            except (FileNotFoundError, ConnectionRefusedError):
                connection = self._start()
            except BlockingIOError as error:
                raise _silent(self._device, self._answer) from error
            try:
                words, fds = protocol.receive(connection)
            except TimeoutError as error:
                connection.close()
                raise _silent(self._device, self._answer) from error
            if len(words) - 1 > len(fds):
                protocol.close_all(fds)
                connection.close()
                raise XenabsError(
                    f"only {len(fds)} of the {len(words) - 1} descriptors that the guardian of "
                    f"{self._device} keeps have arrived: raise xenabs's limit of open files"
                )
            if words:
                return connection, dict(zip(words[1:], fds, strict=True))
            connection.close()
        raise self._does_not_start()

    def _does_not_start(self) -> XenabsError:
        return XenabsError(
            f"the guardian of {self._device} does not start: see the lines above, and the journal "
            f"of xenabs-guardian@{self._device}.service"
        )

    def _start(self) -> socket.socket:
        """A call to a new guardian, which listens at its standard input."""
        address = protocol.address(self._device, self._run)
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(address))
            address.chmod(0o600)
            listener.listen()
            connection = _call(address, self._answer)
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


def _call(address: Path, answer: float) -> socket.socket:
    """Connect; each wait on the line ends after `answer` seconds with TimeoutError.

    Raises BlockingIOError if as many as fit wait to be let in already.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(answer)
    try:
        connection.connect(str(address))
    except BaseException:
        connection.close()
        raise
    return connection


def _silent(device: str, answer: float) -> XenabsError:
    return XenabsError(
        f"the guardian of {device} has not answered for {answer:g} s: look at its process, which "
        "is named @xenabs-guardian (kill -CONT continues one that was stopped)"
    )
