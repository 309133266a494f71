"""A grab keeps others out until its end, and nobody waits for words inside one."""

import signal
import threading

import pytest
from x_servers import xvfb
from Xlib.display import Display

from xenabs.x11 import connection, watch
from xenabs.x11.grab import grabbed
from xenabs.x11.wayland import ACCELERATION


def test_an_inner_grab_does_not_end_the_outer_one() -> None:
    with xvfb() as server:
        display, other = Display(server.name), Display(server.name)
        with grabbed(display):
            with grabbed(display):
                pass
            display.sync()
            other.change_pointer_control(accel=(7, 1), threshold=4)
            other.flush()
            for _ in range(50):
                assert display.get_pointer_control().accel_num == 2
        other.sync()
        assert display.get_pointer_control().accel_num == 7


def test_a_signal_waits_for_the_end(display: Display) -> None:
    came: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with grabbed(display):
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # others have threads
            display.sync()
            assert came == []
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, former)


class _Told(Exception):
    pass


def test_the_server_answers_others_while_a_watch_tells() -> None:
    """What is told may go to a pipe that nobody reads."""
    with xvfb() as server, connection.connected(ACCELERATION, {"DISPLAY": server.name}) as display:

        def tell(news: str) -> None:
            other = threading.Thread(target=Display, args=(server.name,), daemon=True)
            other.start()
            other.join(10)
            assert not other.is_alive(), f"it is grabbed while it tells {news!r}"
            raise _Told

        with pytest.raises(_Told):
            watch.keep_off(display, lambda devices: devices, tell)
