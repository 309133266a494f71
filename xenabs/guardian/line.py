"""What a daemon and its guardian say: packets of words, some with descriptors.

guardian    "kept NAME..." with a descriptor each, once at the beginning
daemon      "keep NAME" with a descriptor, "drop NAME", "hold NAME", "close"
guardian    "done" to each
"""

import array
import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from xenabs.rundir import RUN

WORDS_LIMIT, FDS_LIMIT = 4096, 64
"""Bytes and descriptors of a packet."""

KEPT, KEEP, DROP, HOLD, CLOSE, DONE = "kept", "keep", "drop", "hold", "close", "done"


def address(device: str, run: Path = RUN) -> Path:
    """Where the guardian of a device ("vkbd-0") listens."""
    return run / f"{device}.guardian"


def send(line: socket.socket, words: Sequence[str], fds: Sequence[int] = ()) -> None:
    """Say something. Raises OSError when nobody is there any more."""
    with_fds = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    line.sendmsg([" ".join(words).encode()], with_fds, socket.MSG_NOSIGNAL)


def receive(line: socket.socket) -> tuple[list[str], list[int]]:
    """What the other end says next; no words when it has hung up."""
    fds = array.array("i")
    with contextlib.suppress(ConnectionError):
        data, ancillary, _, _ = line.recvmsg(
            WORDS_LIMIT, socket.CMSG_SPACE(FDS_LIMIT * fds.itemsize), socket.MSG_CMSG_CLOEXEC
        )
        for _level, _kind, content in ancillary:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        return data.decode().split(), list(fds)
    return [], []


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
