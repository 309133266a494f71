"""What names a region of the screen, and whether it is on it."""

import pytest

from xenabs.x11.region import Region, parse


def test_a_regions_name_is_what_it_is_made_of() -> None:
    region = Region(1280, 800, 1024, 32)
    assert str(region) == "1280x800+1024+32"
    assert parse(str(region)) == region


@pytest.mark.parametrize(
    "text", ["DUMMY1", "1280x800", "0x800+0+0", "1280x800-1+0", "1280x800+0+0 ", "x", ""]
)
def test_another_text_is_no_region(text: str) -> None:
    assert parse(text) is None


def test_a_region_is_on_the_screen_or_not() -> None:
    assert Region(1280, 800, 1024, 0).within((2304, 800))
    assert not Region(1280, 800, 1025, 0).within((2304, 800))
    assert not Region(1280, 800, 0, 1).within((2304, 800))
