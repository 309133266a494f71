"""A device's properties are read and written to the last bit."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x_servers import number
from Xlib.display import Display

from xenabs.x11 import connection, properties
from xenabs.x11.properties import Value
from xenabs.x11.wayland import ACCELERATION

OURS = "xenabs test"
FORMS = st.sampled_from([8, 16, 32])
ANY_VALUE = st.builds(
    lambda kind, bits, numbers: Value(kind, bits, tuple(each % (1 << bits) for each in numbers)),
    st.sampled_from(["INTEGER", "CARDINAL", "ATOM", "xenabs type"]),
    FORMS,
    st.lists(st.integers(0, (1 << 32) - 1), max_size=9),
)


@pytest.fixture(scope="module")
def opened(display_name: str) -> Iterator[Display]:
    with connection.connected(ACCELERATION, {"DISPLAY": display_name}) as display:
        yield display


@pytest.fixture(scope="module")
def mouse(opened: Display) -> int:
    return number(opened)


@settings(deadline=None)
@given(value=ANY_VALUE)
def test_what_was_put_is_what_is_got(opened: Display, mouse: int, value: Value) -> None:
    properties.put(opened, mouse, OURS, value)
    assert properties.get(opened, mouse, OURS) == value


def test_one_that_is_not_there(opened: Display, mouse: int) -> None:
    properties.put(opened, mouse, OURS, Value.integers(1))
    assert properties.names(opened, mouse).count(OURS) == 1
    properties.delete(opened, mouse, OURS)
    assert properties.get(opened, mouse, OURS) is None
    assert properties.get(opened, mouse, "xenabs no such atom") is None
    assert OURS not in properties.names(opened, mouse)


def test_what_the_server_has_means_what_it_says(opened: Display, mouse: int) -> None:
    decelerated = properties.get(opened, mouse, "Device Accel Constant Deceleration")
    assert decelerated == Value.floats(1)
    assert decelerated.numbers() == (1.0,)
    assert Value.integers(-1, 7).numbers() == (-1, 7)
    assert Value.integers(-1, bits=8) == Value("INTEGER", 8, (255,))
