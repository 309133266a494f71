"""XenStore, through Xen's own library libxenstore."""

import errno
import os
import select
from collections.abc import Mapping
from typing import Any

from xenabs.errors import XenabsError
from xenabs.xen._xenstore import ffi

LIBRARIES = ("libxenstore.so.4", "libxenstore.so.3.0", "libxenstore.so.3")
"""Names of the library, newest ABI first (Xen 4.17 has .so.4)."""

NO_TRANSACTION = 0
"""XBT_NULL of xenstore.h."""


class Store:
    """One connection to XenStore. Relative paths mean the guest's own directory.

    Every call but `open` raises OSError with XenStore's errno when it is refused.
    """

    def __init__(self) -> None:
        """Connect. Raises XenabsError if the library or XenStore is not to be had."""
        self._lib = _library()
        self._handle = self._lib.xs_open(0)
        if not self._handle:
            raise XenabsError(_no_store(ffi.errno))

    def close(self) -> None:
        """Disconnect; watches end with it."""
        if self._handle:
            self._lib.xs_close(self._handle)
            self._handle = ffi.NULL

    def fileno(self) -> int:
        """A descriptor that is readable while `watched` has something to tell."""
        return int(self._lib.xs_fileno(self._handle))

    def read(self, path: str) -> str | None:
        """The text of a node, None if there is no such node."""
        length = ffi.new("unsigned int *")
        data = self._lib.xs_read(self._handle, NO_TRANSACTION, path.encode(), length)
        if not data:
            if ffi.errno == errno.ENOENT:
                return None
            raise _error(path)
        try:
            return bytes(ffi.buffer(data, length[0])).decode(errors="replace")
        finally:
            self._lib.free(data)

    def list(self, path: str) -> list[str]:
        """Return the names of a node's children, in XenStore's order; none without the node."""
        count = ffi.new("unsigned int *")
        names = self._lib.xs_directory(self._handle, NO_TRANSACTION, path.encode(), count)
        if not names:
            if ffi.errno == errno.ENOENT:
                return []
            raise _error(path)
        try:
            return [_text(names[index]) for index in range(count[0])]
        finally:
            self._lib.free(names)

    def write(self, path: str, text: str) -> None:
        """Set a node's text."""
        self._change_one(NO_TRANSACTION, path, text)

    def change(self, changes: Mapping[str, str | None]) -> None:
        """Set nodes, or remove those given as None, in one transaction."""
        while True:
            transaction = self._lib.xs_transaction_start(self._handle)
            if not transaction:
                raise _error("a transaction")
            try:
                for path, text in changes.items():
                    self._change_one(transaction, path, text)
            except OSError:
                self._lib.xs_transaction_end(self._handle, transaction, True)
                raise
            if self._lib.xs_transaction_end(self._handle, transaction, False):
                return
            if ffi.errno != errno.EAGAIN:
                raise _error("a transaction")

    def _change_one(self, transaction: int, path: str, text: str | None) -> None:
        if text is not None:
            data = text.encode()
            done = self._lib.xs_write(self._handle, transaction, path.encode(), data, len(data))
        else:
            done = self._lib.xs_rm(self._handle, transaction, path.encode())
            if not done and ffi.errno == errno.ENOENT:
                return
        if not done:
            raise _error(path)

    def watch(self, path: str) -> None:
        """Have `watched` tell of changes at and below a path (and once at first)."""
        if not self._lib.xs_watch(self._handle, path.encode(), path.encode()):
            raise _error(path)

    def unwatch(self, path: str) -> None:
        """End a watch."""
        if not self._lib.xs_unwatch(self._handle, path.encode(), path.encode()):
            raise _error(path)

    def watched(self) -> set[str]:
        """The watches that fired since the last call, by the path they were set on."""
        fired = set()
        while pair := self._lib.xs_check_watch(self._handle):
            fired.add(_text(pair[1]))
            self._lib.free(pair)
        return fired

    def pause(self, timeout: float) -> None:
        """Wait until a watch fires, at most `timeout` seconds, and forget what fired."""
        if select.select([self], [], [], timeout)[0]:
            self.watched()


def _text(string: Any) -> str:
    text: bytes = ffi.string(string)
    return text.decode()


def _library() -> Any:
    for name in LIBRARIES:
        try:
            # Its thread, which reads watches, runs on while the interpreter unloads libraries.
            return ffi.dlopen(name, ffi.RTLD_NOW | ffi.RTLD_NODELETE)
        except OSError:
            continue
    raise XenabsError(
        f"Xen's library {LIBRARIES[0]} is missing: install Debian's package libxenstore4 "
        "(Fedora: xen-libs)"
    )


def _no_store(code: int) -> str:
    if code in (errno.EACCES, errno.EPERM):
        return "XenStore is open to root only: run xenabs as root"
    return (
        f"there is no XenStore here ({os.strerror(code)}): xenabs runs in a Xen guest, where the "
        "kernel gives /dev/xen/xenbus"
    )


def _error(path: str) -> OSError:
    return OSError(ffi.errno, os.strerror(ffi.errno), path)
