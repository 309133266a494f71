"""The X server to ourselves for a moment."""

import contextlib
from collections.abc import Iterator
from weakref import WeakSet

from Xlib.display import Display

_holders: WeakSet[Display] = WeakSet()


@contextlib.contextmanager
def grabbed(display: Display) -> Iterator[None]:
    """Nobody else's requests come in between: what is read is what is changed.

    It may be nested, which X's own grab cannot: the outermost lets go. Tell nobody anything inside:
    a reader that is slow, or a terminal that is stopped, would halt all of the session.
    """
    if display in _holders:
        yield
        return
    _holders.add(display)
    display.grab_server()
    try:
        yield
    finally:
        _holders.discard(display)
        display.ungrab_server()
        display.sync()
