"""The tablet on one of two outputs, with both drivers; xenabs map in a guest that runs."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from pointing import Pixel, every_pixel, kernel_harm, sample

from testbed import Guest, Wanted
from testbed.outer import LineReader
from testbed.rfb import WHEEL_UP, Rfb
from testbed.tablet import Tablet
from testbed.xserver import XServer, on

SIZE = (1280, 800)
WANTED = Wanted(kind="pv", size=SIZE)
SMALL = (1024, 768)
HEADS = (SIZE, SMALL)
"""DUMMY0 and DUMMY1, from the left."""

#: seconds for xenabs to tell what it has done
TELLING = 150
MATRIX = "Coordinate Transformation Matrix"

PROPERTIES = """
import sys
from xenabs.x11 import connection, mapping, properties, wayland
with connection.connected(wayland.MAPPING) as display:
    for each in mapping.tablets(display):
        for name in properties.names(display, each.id):
            print(each.id, name, properties.get(display, each.id, name))
"""


@pytest.fixture(scope="module")
def displays(guest: Guest) -> Iterator[list[str]]:
    with (
        XServer(guest, driver="libinput", heads=HEADS) as one,
        XServer(guest, driver="evdev", heads=HEADS) as other,
    ):
        yield [one.display, other.display]


@pytest.fixture(scope="module")
def tablet(guest: Guest, displays: list[str]) -> Iterator[Tablet]:
    with Tablet(guest, *displays) as plugged:
        yield plugged


def put(guest: Guest, displays: list[str], output: str) -> None:
    for display in displays:
        guest.run(on(display, "xenabs", "map", "set", output))


@pytest.fixture
def free(guest: Guest, displays: list[str]) -> Iterator[None]:
    """Two outputs side by side at the end, and no tablet tied."""
    yield
    for display in displays:
        guest.run(on(display, "xenabs", "map", "reset"))
        arrange(guest, display, "DUMMY1", "--right-of", "DUMMY0")


def arrange(guest: Guest, display: str, output: str, *how: str) -> None:
    guest.run(on(display, "xrandr", "--output", output, *how))


def wrong(
    tablet: Tablet,
    origin: Pixel,
    points: list[Pixel],
    warps: dict[str, Pixel] | None = None,
    size: Pixel = SIZE,
) -> dict[str, dict[Pixel, Pixel]]:
    """By server: points of an output at an origin that its pointer was not on, and where it was."""
    reached = tablet.point(size, points, warps)
    wanted = [(origin[0] + x, origin[1] + y) for x, y in points]
    return {
        display: {
            point: there for point, there in zip(wanted, pixels, strict=True) if point != there
        }
        for display, pixels in reached.items()
    }


def nothing(displays: Iterable[str]) -> dict[str, dict[Pixel, Pixel]]:
    return {display: {} for display in displays}


def test_every_pixel_of_either_output_is_right(
    guest: Guest, displays: list[str], tablet: Tablet, free: None
) -> None:
    put(guest, displays, "DUMMY0")
    assert wrong(tablet, (0, 0), every_pixel(*SIZE)) == nothing(displays)
    put(guest, displays, "DUMMY1")
    assert wrong(tablet, (1280, 0), every_pixel(*SMALL), size=SMALL) == nothing(displays)


def test_where_the_vnc_client_points_on_the_mapped_output(
    guest: Guest, displays: list[str], tablet: Tablet, vnc: Rfb, free: None
) -> None:
    """The whole way: VNC, the ring, the daemon's own tablet."""
    put(guest, displays, "DUMMY0")
    misplaced = {}
    for x, y in sample(*SIZE, 60):
        for mask in (WHEEL_UP, 0):
            vnc.pointer(x, y, mask)
        there = tablet.turned()
        if set(there.values()) != {(x, y)}:
            misplaced[x, y] = there
    assert misplaced == {}


@pytest.mark.parametrize("warp", [(2000, 700), (700, 333)])
def test_a_pointer_that_programs_move_is_right_with_the_next_point(
    guest: Guest, displays: list[str], tablet: Tablet, free: None, warp: Pixel
) -> None:
    put(guest, displays, "DUMMY0")
    points = [*sample(*SIZE, 100), *[(640, 400)] * 10]
    assert wrong(tablet, (0, 0), points, dict.fromkeys(displays, warp)) == nothing(displays)


def test_what_comes_without_a_position_is_where_a_program_put_the_pointer(
    guest: Guest, displays: list[str], tablet: Tablet, free: None
) -> None:
    """The server rounds once on this way, as it does for any absolute device."""
    put(guest, displays, "DUMMY1")
    for place in sample(*SIZE, 20):
        tablet.point(SMALL, [(100, 100)])
        for x, y in tablet.turn(dict.fromkeys(displays, place)).values():
            assert abs(x - place[0]) <= 1 and abs(y - place[1]) <= 1


def test_a_region_and_a_monitor_are_as_good_as_an_output(
    guest: Guest, displays: list[str], tablet: Tablet, free: None
) -> None:
    put(guest, displays, "640x480+100+200")
    assert wrong(tablet, (100, 200), every_pixel(640, 480), size=(640, 480)) == nothing(displays)
    for display in displays:
        guest.run(on(display, "xrandr", "--setmonitor", "half", "640/1x800/1+640+0", "none"))
    put(guest, displays, "half")
    assert wrong(tablet, (640, 0), every_pixel(640, 800), size=(640, 800)) == nothing(displays)


@contextmanager
def watching(guest: Guest, displays: list[str], output: str) -> Iterator[list[LineReader]]:
    """xenabs map set --watch on each server; its lines, one a tablet."""
    with ExitStack() as stack:
        words = [on(each, "xenabs", "map", "set", output, "--watch") for each in displays]
        processes = [stack.enter_context(guest.follow(each)) for each in words]
        yield [LineReader.of(process) for process in processes]


def each_says(watches: list[LineReader], count: int, words: str) -> None:
    """Until each has said so many lines with these words in them."""
    for lines in watches:
        for _ in range(count):
            lines.until(words, TELLING)


def test_a_watch_follows_the_output_and_the_tablet(
    guest: Guest, displays: list[str], tablet: Tablet, free: None
) -> None:
    with watching(guest, displays, "DUMMY0") as watches:
        each_says(watches, 2, "tied to DUMMY0 (1280x800+0+0)")
        for display in displays:
            arrange(guest, display, "DUMMY1", "--mode", "800x600", "--left-of", "DUMMY0")
        each_says(watches, 2, "tied to DUMMY0 (1280x800+800+0)")
        assert wrong(tablet, (800, 0), every_pixel(*SIZE)) == nothing(displays)
        for display in displays:
            arrange(guest, display, "DUMMY0", "--mode", "1024x768")
        each_says(watches, 2, "tied to DUMMY0 (1024x768+800+0)")
        assert wrong(tablet, (800, 0), every_pixel(*SMALL), size=SMALL) == nothing(displays)
        for display in displays:
            arrange(guest, display, "DUMMY0", "--mode", "1280x800")
        each_says(watches, 2, "tied to DUMMY0 (1280x800+800+0)")
        tablet.unplug()
        tablet.plug()
        each_says(watches, 1, "tied to DUMMY0 (1280x800+800+0)")
        assert wrong(tablet, (800, 0), sample(*SIZE, 50)) == nothing(displays)
        for display in displays:
            arrange(guest, display, "DUMMY1", "--mode", "1024x768")


def shift(guest: Guest, displays: list[str], part: str) -> None:
    """Have the server's own matrix move each tablet to the right by that part of the screen."""
    for display in displays:
        for each in status(guest, display)["tablets"]:
            matrix = ("1", "0", part, "0", "1", "0", "0", "0", "1")
            guest.run(on(display, "xinput", "set-prop", str(each["id"]), MATRIX, *matrix))


@pytest.fixture
def shifted(guest: Guest, displays: list[str], tablet: Tablet) -> Iterator[None]:
    shift(guest, displays, "0.125")
    yield
    shift(guest, displays, "0")


def test_reset_gives_back_every_property_as_it_was(
    guest: Guest, displays: list[str], tablet: Tablet, shifted: None, free: None
) -> None:
    before = [properties(guest, display) for display in displays]
    put(guest, displays, "DUMMY1")
    put(guest, displays, "DUMMY0")
    assert wrong(tablet, (0, 0), sample(*SIZE, 100)) == nothing(displays)
    for display in displays:
        guest.run(on(display, "xenabs", "map", "reset"))
    assert [properties(guest, display) for display in displays] == before


def properties(guest: Guest, display: str) -> str:
    return guest.run(on(display, "python3", "-c", PROPERTIES)).stdout


def test_status_says_what_is_tied_and_what_is_outdated(
    guest: Guest, displays: list[str], tablet: Tablet, free: None
) -> None:
    for display in displays:
        assert {each["state"] for each in status(guest, display)["tablets"]} == {"free"}
        guest.run(on(display, "xenabs", "map", "set", "DUMMY1"))
        facts = status(guest, display)
        assert facts["outputs"]["DUMMY1"] == "1024x768+1280+0"
        assert [each["to"] for each in facts["tablets"]] == ["DUMMY1", "DUMMY1"]
        assert {each["state"] for each in facts["tablets"]} == {"tied"}
        arrange(guest, display, "DUMMY1", "--below", "DUMMY0")
        assert {each["state"] for each in status(guest, display)["tablets"]} == {"outdated"}


def status(guest: Guest, display: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(
        guest.run(on(display, "xenabs", "map", "status", "--json")).stdout
    )
    return facts


def test_the_kernel_log_is_clean(guest: Guest) -> None:
    assert kernel_harm(guest) == []
