"""The X server to ourselves for a moment."""

import contextlib
import signal
from collections.abc import Iterator
from weakref import WeakSet

from Xlib.display import Display

_holders: WeakSet[Display] = WeakSet()


@contextlib.contextmanager
def grabbed(display: Display) -> Iterator[None]:
    """Nobody else's requests come in between: what is read is what is changed.

    It may be nested, which X's own grab cannot: the outermost lets go. Tell nobody anything inside:
    a reader that is slow, or a terminal that is stopped, would halt all of the session. SIGTERM and
    SIGINT wait until its end: one that ends a request of python-xlib's leaves its locks taken, and
    to let go is a request, too.
    """
    if display in _holders:
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        _holders.add(display)
        display.grab_server()
        try:
            yield
        finally:
            _holders.discard(display)
            display.ungrab_server()
            display.sync()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
