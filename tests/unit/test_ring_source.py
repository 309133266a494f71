"""The frontend's handshake against a backend that follows QEMU's rules, and against one that does
not."""

import contextlib
import os
import struct
from typing import Any

import pytest
from evdev import ecodes
from hypothesis import given
from hypothesis import strategies as st
from qemu_displays import vnc
from qemu_double import BACKEND, FRONTEND, OFFERED, FakeShare, FakeStore, QemuBackend

from xenabs.errors import XenabsError
from xenabs.geometry import pixel_from_axis
from xenabs.kbdif.nodes import XenbusState
from xenabs.kbdif.ring import Output
from xenabs.sources.ring import Phase, RingSource
from xenabs.xen.xenbus import Frontend

EVENT = struct.Struct("llHHi")
SCREEN = (1366, 768)


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The guest's screen, in a list of one."""
    screen = [SCREEN]
    monkeypatch.setattr("xenabs.screen.size", lambda: screen[0])
    return screen


class Guest:
    """A frontend and its backend, stepped in turn until both rest."""

    def __init__(self, features: dict[str, str] = OFFERED) -> None:
        self.store = FakeStore()
        self.backend = QemuBackend(self.store, features)
        self.freed_at: list[str | None] = []
        self.shares: list[FakeShare] = []
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self.start()

    def start(self, **inherited: Any) -> None:
        """A new process of ours, with what it has from the last one."""
        keys = Output(self._write, frozenset({ecodes.KEY_A}))
        tablet = Output(self._write, frozenset({ecodes.BTN_LEFT}))
        frontend = Frontend(self.store, FRONTEND)
        self.source = RingSource(frontend, tablet, keys, self._new_share, **inherited)

    def restore(self, domain: str) -> None:
        """What the toolstack does to a guest that it restores; QEMU is a new process."""
        self.store.nodes["domid"] = domain
        for path in [path for path in self.store.nodes if path.startswith(FRONTEND)]:
            if path.rsplit("/")[-1] not in ("backend", "backend-id"):
                del self.store.nodes[path]
        self.store.nodes[f"{FRONTEND}/state"] = "1"
        self.backend.start()

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)

    def _new_share(self, domain: int) -> FakeShare:
        assert domain == 0
        self.shares.append(FakeShare(self.store, self.freed_at))
        return self.shares[-1]

    def rest(self) -> None:
        """Both ends do what is due until neither has anything left."""
        for _ in range(40):
            before = len(self.store.log)
            self.source.step()
            self.backend.react()
            if len(self.store.log) == before:
                return
        raise AssertionError(f"no rest: {self.store.log[-6:]}")

    def states(self) -> tuple[str | None, str | None]:
        return self.store.read(f"{FRONTEND}/state"), self.store.read(f"{BACKEND}/state")

    def seen(self) -> list[tuple[int, int, int]]:
        """Types, codes and values of the events since the last look, but for SYN_REPORT."""
        try:
            data = os.read(self._read, 65536)
        except BlockingIOError:
            return []
        events = (EVENT.unpack_from(data, at) for at in range(0, len(data), EVENT.size))
        return [event[2:] for event in events if event[2] != ecodes.EV_SYN]


@pytest.fixture
def connected() -> Guest:
    guest = Guest()
    guest.backend.start()
    guest.rest()
    assert guest.states() == ("4", "4")
    return guest


def test_a_fresh_device_connects_with_absolute_raw_coordinates(connected: Guest) -> None:
    assert connected.source.phase is Phase.CONNECTED
    assert connected.source.raw
    assert connected.store.read(f"{FRONTEND}/request-abs-pointer") == "1"
    assert connected.store.read(f"{FRONTEND}/request-raw-pointer") == "1"


def test_what_is_shared_stands_in_the_store_before_the_backend_is_called(connected: Guest) -> None:
    log = connected.store.log
    called = log.index((f"{FRONTEND}/state", "3"))
    for key in ("page-ref", "page-gref", "event-channel"):
        assert [path for path, _ in log[:called]].count(f"{FRONTEND}/{key}") == 1


def test_nothing_is_requested_that_is_not_offered() -> None:
    guest = Guest({"feature-abs-pointer": "1"})
    guest.store.nodes[f"{FRONTEND}/request-raw-pointer"] = "1"  # left by somebody else
    guest.backend.start()
    guest.rest()
    assert guest.states() == ("4", "4")
    assert guest.store.read(f"{FRONTEND}/request-abs-pointer") == "1"
    assert guest.store.read(f"{FRONTEND}/request-raw-pointer") is None
    assert not guest.source.raw


def test_features_are_read_when_the_backend_waits_and_not_before() -> None:
    guest = Guest()
    guest.store.nodes[f"{BACKEND}/feature-raw-pointer"] = "0"  # of a process long gone
    guest.rest()
    guest.backend.start()
    guest.rest()
    assert guest.source.raw


def test_a_connection_that_a_dead_frontend_left_is_closed_first() -> None:
    guest = Guest()
    guest.backend.state = XenbusState.CONNECTED
    guest.store.nodes[f"{FRONTEND}/state"] = guest.store.nodes[f"{BACKEND}/state"] = "4"
    guest.rest()
    assert guest.states() == ("4", "4")
    assert guest.source.phase is Phase.CONNECTED
    backend = [text for path, text in guest.store.log if path == f"{BACKEND}/state"]
    assert backend == ["5", "6", "1", "2", "4"]


def test_closing_ends_at_closed_on_both_ends_with_nothing_shared(connected: Guest) -> None:
    connected.source.close()
    connected.rest()
    assert connected.source.phase is Phase.CLOSED
    assert connected.source.released
    assert connected.states() == ("6", "6")


def test_a_backend_that_closes_and_comes_back_is_connected_anew(connected: Guest) -> None:
    connected.backend.close()
    connected.rest()
    assert connected.states() == ("4", "4")
    assert connected.source.connections == 2
    assert connected.freed_at == ["5"]


def test_a_backend_that_was_killed_finds_the_same_page_again(connected: Guest) -> None:
    connected.backend.start()
    connected.rest()
    assert connected.states() == ("4", "4")
    assert connected.source.connections == 2
    assert len(connected.shares) == 1
    assert connected.freed_at == []


@pytest.mark.parametrize("end", ["closes", "killed", "we close"])
def test_nothing_stays_pressed_when_the_connection_ends(connected: Guest, end: str) -> None:
    connected.backend.press(connected.shares[0].page, ecodes.KEY_A)
    connected.source._ring.drain()
    assert connected.seen() == [(ecodes.EV_KEY, ecodes.KEY_A, 1)]
    match end:
        case "closes":
            connected.backend.close()
        case "killed":
            connected.backend.start()
        case "we close":
            connected.source.close()
    connected.rest()
    assert connected.seen() == [(ecodes.EV_KEY, ecodes.KEY_A, 0)]


def test_counters_go_on_over_a_reconnection(connected: Guest) -> None:
    for _ in range(2):
        connected.backend.press(connected.shares[-1].page, ecodes.KEY_A)
        connected.source._ring.drain()
        connected.backend.close()
        connected.rest()
    assert connected.source.counters()["keys"] == 2


def test_the_same_position_is_obeyed_again_after_a_reconnection(connected: Guest) -> None:
    places = []
    for _ in range(2):
        connected.backend.point(connected.shares[-1].page, 100, 200)
        connected.source._ring.drain()
        places.append({code: value for _, code, value in connected.seen()})
        connected.backend.close()
        connected.rest()
    # evdev drops a value that its device already has.
    assert all(places[0][axis] != places[1][axis] for axis in (ecodes.ABS_X, ecodes.ABS_Y))


def test_a_backend_that_does_not_let_go_keeps_the_page(connected: Guest) -> None:
    connected.backend.answers = False
    connected.source.close()
    connected.rest()
    assert connected.source.phase is Phase.CLOSING
    assert not connected.source.released
    assert connected.freed_at == []
    connected.backend.answers = True
    connected.rest()
    assert connected.source.released
    assert connected.freed_at == ["5"]


def test_the_screen_of_a_backend_that_tells_nonsense_is_the_guests_own() -> None:
    guest = Guest({"feature-abs-pointer": "1", "width": "-5", "height": "99999999999"})
    guest.backend.start()
    guest.rest()
    assert guest.source.screen == SCREEN


def test_the_screen_is_the_one_the_backend_tells_of() -> None:
    guest = Guest({"feature-abs-pointer": "1", "width": "1920", "height": "1080"})
    guest.backend.start()
    guest.rest()
    assert guest.source.screen == (1920, 1080)


def pointed(guest: Guest, *pixels: tuple[int, int]) -> list[tuple[int, int]]:
    """Name pixels in a viewer; where a reader of the tablet is after each."""
    places = []
    for pixel in pixels:
        guest.backend.point(guest.shares[-1].page, *pixel)
        guest.source._ring.drain()
        axes = {code: value for _, code, value in guest.seen()}
        size = guest.source.screen
        assert size
        places.append(
            (
                pixel_from_axis(axes[ecodes.ABS_X], size[0]),
                pixel_from_axis(axes[ecodes.ABS_Y], size[1]),
            )
        )
    return places


def test_a_pixel_that_a_vnc_client_names_is_right_on_any_screen(
    connected: Guest, screen: list[tuple[int, int]]
) -> None:
    connected.backend.display = vnc(*SCREEN)
    pixels = [(x, x % 768) for x in range(1366)]
    assert pointed(connected, *pixels) == pixels
    assert connected.source.scale == (1376, 768)
    screen[0] = (1400, 1050)
    connected.backend.display = vnc(1400, 1050)
    assert pointed(connected, (1399, 1049), (5, 1000)) == [(1399, 1049), (5, 1000)]
    assert connected.source.screen == (1400, 1050)


def test_a_screen_that_the_backend_tells_of_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xenabs.screen.size", lambda: pytest.fail("it was looked for"))
    guest = Guest({**OFFERED, "width": "1366", "height": "768"})
    guest.backend.start()
    guest.rest()
    guest.backend.display = vnc(*SCREEN)
    assert pointed(guest, (1365, 767)) == [(1365, 767)]


def test_a_device_that_is_detached_is_let_go_and_not_written_to_any_more(connected: Guest) -> None:
    connected.store.nodes[f"{BACKEND}/online"] = "0"
    connected.backend.close()
    connected.rest()
    assert connected.states() == ("6", "6")
    assert connected.source.released
    for path in [path for path in connected.store.nodes if path.startswith((FRONTEND, BACKEND))]:
        del connected.store.nodes[path]
    connected.store.log.clear()
    assert not connected.source.attached
    connected.source.close()
    connected.source.step()
    assert connected.source.phase is Phase.CLOSED
    assert connected.store.log == []


STATES = st.sampled_from(["", "x", "-1", "99", *(str(state.value) for state in XenbusState)])


@given(st.lists(st.one_of(STATES, st.just("close")), max_size=30))
def test_whatever_the_backend_says_the_page_is_freed_only_when_it_lets_go(
    script: list[str],
) -> None:
    guest = Guest()
    for line in script:
        if line == "close":
            guest.source.close()
        else:
            guest.store.nodes[f"{BACKEND}/state"] = line
        guest.source.step()
        assert len(guest.shares) - len(guest.freed_at) <= 1
    assert set(guest.freed_at) <= {"5", "6"}


def test_a_next_process_goes_on_where_the_last_one_died(connected: Guest) -> None:
    share, backend = connected.shares[0], connected.backend
    backend.press(share.page, ecodes.KEY_A)
    connected.source._ring.drain()
    assert connected.seen() == [(ecodes.EV_KEY, ecodes.KEY_A, 1)]
    backend.press(share.page, ecodes.KEY_A, pressed=False)  # while nobody reads
    connected.store.log.clear()
    connected.start(adopted=share, down=frozenset({ecodes.KEY_A}))
    connected.rest()
    connected.source._ring.drain()
    assert connected.seen() == [(ecodes.EV_KEY, ecodes.KEY_A, 0)]
    backend.display = vnc(*SCREEN)
    assert pointed(connected, (1300, 200)) == [(1300, 200)]
    assert connected.store.log == []
    assert len(connected.shares) == 1


class Killed(Exception): ...


@pytest.mark.parametrize("writes", range(12))
@pytest.mark.parametrize("closing", [False, True], ids=["connecting", "closing"])
def test_killed_after_any_write_to_the_store_the_next_process_connects(
    writes: int, closing: bool
) -> None:
    guest = Guest()
    guest.backend.start()
    if closing:
        guest.rest()
        guest.source.close()
    left = writes

    def count(path: str) -> None:
        nonlocal left
        if path.startswith(FRONTEND):
            left -= 1
            if left < 0:
                raise Killed

    guest.store.changed = count
    with contextlib.suppress(Killed):
        guest.rest()
    guest.store.changed = lambda path: None
    kept = guest.shares[-1] if guest.shares and guest.shares[-1].open else None
    guest.start(adopted=kept)
    guest.rest()
    assert guest.source.phase is Phase.CONNECTED
    assert guest.states() == ("4", "4")
    # At InitWait it has not been called to the page yet.
    assert set(guest.freed_at) <= {"2", "5", "6"}


@pytest.mark.parametrize("key", ["page-ref", "page-gref", "event-channel", "state"])
def test_what_the_store_does_not_speak_of_is_kept_until_the_backend_lets_go(
    connected: Guest, key: str
) -> None:
    connected.store.nodes[f"{FRONTEND}/{key}"] = "1"
    connected.start(adopted=connected.shares[0], down=frozenset({ecodes.KEY_A}))
    assert connected.seen() == [(ecodes.EV_KEY, ecodes.KEY_A, 0)]
    connected.rest()
    assert connected.freed_at == ["5"]
    assert connected.states() == ("4", "4")


@pytest.mark.parametrize("alive", [True, False], ids=["a running process", "the next process"])
@pytest.mark.parametrize("domain", ["1", "2"], ids=["same number", "other number"])
def test_after_a_restore_the_old_share_is_abandoned_and_a_new_one_connected(
    connected: Guest, domain: str, alive: bool
) -> None:
    old = connected.shares[0]
    connected.restore(domain)
    if not alive:
        connected.start(adopted=old)
    connected.rest()
    assert old.abandoned
    assert connected.freed_at == []
    assert connected.states() == ("4", "4")
    assert connected.store.read(f"{FRONTEND}/request-abs-pointer") == "1"


@pytest.mark.parametrize("text", ["65536", "32752", "-1", "x", "\u0663"])
def test_a_backend_that_is_no_domain_is_refused_in_a_sentence(text: str) -> None:
    guest = Guest()
    guest.store.nodes[f"{FRONTEND}/backend-id"] = text
    guest.backend.start()
    with pytest.raises(XenabsError, match="backend-id"):
        guest.rest()
    assert guest.shares == []


def test_features_that_come_late_are_used_after_one_more_connection() -> None:
    guest = Guest({})
    guest.backend.start()
    guest.rest()
    assert guest.states() == ("4", "4")
    assert guest.store.read(f"{FRONTEND}/request-abs-pointer") is None
    guest.store.nodes |= {f"{BACKEND}/{feature}": text for feature, text in OFFERED.items()}
    guest.backend.features = OFFERED
    guest.rest()
    assert guest.states() == ("4", "4")
    assert guest.store.read(f"{FRONTEND}/request-raw-pointer") == "1"
    assert guest.source.connections == 2


def test_a_backend_whose_features_come_and_go_is_not_followed_for_ever() -> None:
    guest = Guest({})
    guest.backend.start()
    for _ in range(10):
        guest.rest()
        guest.store.nodes[f"{BACKEND}/feature-abs-pointer"] = "1"
        guest.source.step()
        guest.store.nodes[f"{BACKEND}/feature-abs-pointer"] = "0"
    guest.rest()
    assert guest.source.connections <= 4


def test_after_our_closing_of_a_connection_initwait_is_closed_too(connected: Guest) -> None:
    connected.source.close()
    connected.store.nodes[f"{BACKEND}/state"] = "2"  # as libxenbe's backends rest
    connected.source.step()
    assert connected.source.phase is Phase.CLOSED
    assert connected.source.released


def test_a_share_published_across_a_restore_is_closed_before_it_is_given_up() -> None:
    guest = Guest()
    guest.backend.start()

    def restore(path: str) -> None:
        if path == f"{FRONTEND}/state" and guest.store.nodes[path] == "3":
            guest.store.nodes["domid"] = "2"

    guest.store.changed = restore
    guest.source.step()
    guest.source.step()
    assert guest.shares[0].open
    guest.store.changed = lambda path: None
    guest.rest()
    assert guest.shares[0].abandoned
    assert guest.states() == ("4", "4")
    assert guest.shares[-1].domain == "2"


def test_the_event_channel_of_a_process_that_died_may_fire_again(connected: Guest) -> None:
    share = connected.shares[0]
    assert not share.unmasked
    connected.start(adopted=share)
    connected.rest()
    assert share.unmasked
