"""The snippets for X say the same thing of acceleration, and mean the mice that xenabs means."""

import itertools
import re
from pathlib import Path

import pytest

from xenabs.x11.devices import XENS_MICE

CHECKOUT = Path(__file__).parents[2]
FOR_XENS = CHECKOUT / "xorg.conf.d/90-xenabs.conf"
FOR_ALL = CHECKOUT / "xorg.conf.d.available/91-xenabs-all.conf"
ON_AGAIN = CHECKOUT / "xorg.conf.d.available/93-xenabs-on.conf"


def options(file: Path) -> dict[str, str]:
    return dict(re.findall(r'^ +Option "(.*)" "(.*)"$', file.read_text(), re.MULTILINE))


def test_both_snippets_turn_acceleration_off_by_the_same_options() -> None:
    assert options(FOR_XENS) == options(FOR_ALL) != {}


@pytest.mark.parametrize("file", [FOR_XENS, ON_AGAIN])
def test_the_relative_pointers_that_are_xens(file: Path) -> None:
    (match,) = re.findall(r'MatchProduct "(.*)"', file.read_text())
    assert tuple(match.split("|")) == XENS_MICE


def test_every_snippet_and_option_is_explained() -> None:
    page = (CHECKOUT / "docs/xenabs.1").read_text().replace(r"\-", "-").partition(".SH FILES")[2]
    guide = (CHECKOUT / "docs/acceleration.md").read_text()
    for file in [*FOR_XENS.parent.iterdir(), *FOR_ALL.parent.iterdir()]:
        assert file.name in page
        assert f"`{file.name}`" in guide
        for option, value in options(file).items():
            assert option in page
            assert f'`{option} "{value}"`' in guide


def test_each_option_and_match_has_a_line_of_comment() -> None:
    for file in [*FOR_XENS.parent.iterdir(), *FOR_ALL.parent.iterdir()]:
        lines = [line.strip() for line in file.read_text().splitlines()]
        for before, line in itertools.pairwise(lines):
            if line.startswith(("Option", "Match")):
                assert before.startswith("# "), f"{file.name}: {line}"
