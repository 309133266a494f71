"""What a daemon and its guardian say, and the names of what is kept. Loads nothing of the pump.

Each packet is words, some with descriptors:

guardian    "kept NAME..." with a descriptor each, once at the beginning
daemon      "keep NAME" with a descriptor, "drop NAME", "hold NAME", "serving", "close"
guardian    "done" to each, or "refused"

A guardian outlives upgrades of the package: one that does not know a word answers "done", and a
daemon takes any answer but "done" for a reason to connect anew.
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

KEPT, KEEP, DROP, HOLD, SERVING, CLOSE = "kept", "keep", "drop", "hold", "serving", "close"
DONE, REFUSED = "done", "refused"

TABLET, KEYBOARD = "tablet", "keyboard"
"""The names of the uinput devices that are kept."""

GRANT, CHANNEL = "grant", "channel"
"""What the names of a kept page and a kept event channel begin with:

    grant.OFFSET.REFERENCE      gntalloc's descriptor, where the page is in it, its grant
    channel.PORT.DOMAIN         evtchn's descriptor, the local port, the domain we were then
"""


def domain_of(channel: str) -> str:
    """Return the domain in the name of a kept event channel."""
    return channel.split(".")[2]


def address(device: str, run: Path = RUN) -> Path:
    """Return the path of the socket where the guardian of a device ("vkbd-0") listens."""
    return run / f"{device}.guardian"


def send(line: socket.socket, words: Sequence[str], fds: Sequence[int] = ()) -> None:
    """Send a packet. Raises OSError when the other end is gone, TimeoutError as the socket does."""
    with_fds = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    line.sendmsg([" ".join(words).encode()], with_fds, socket.MSG_NOSIGNAL)


def receive(line: socket.socket) -> tuple[list[str], list[int]]:
    """Return the next packet's words and descriptors; no words when the other end has hung up.

    Fewer descriptors arrive than were sent when this process may open no more files. Raises
    TimeoutError as the socket does.
    """
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
