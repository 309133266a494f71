"""The snippets for X say the same thing of acceleration, and mean the mice that xenabs means."""

import itertools
import re
from pathlib import Path

from xenabs.x11.devices import XENS

CHECKOUT = Path(__file__).parents[2]
FOR_XENS = CHECKOUT / "xorg.conf.d/90-xenabs.conf"
FOR_ALL = CHECKOUT / "xorg.conf.d.available/91-xenabs-all.conf"


def options(file: Path) -> dict[str, str]:
    return dict(re.findall(r'^ +Option "(.*)" "(.*)"$', file.read_text(), re.MULTILINE))


def test_both_snippets_turn_acceleration_off_by_the_same_options() -> None:
    assert options(FOR_XENS) == options(FOR_ALL) != {}


def test_the_snippet_means_the_relative_pointers_that_xenabs_accel_takes_for_xens() -> None:
    (match,) = re.findall(r'MatchProduct "(.*)"', FOR_XENS.read_text())
    meant = {name for name in XENS for part in match.split("|") if part in name}
    assert meant == {name for name in XENS if "tablet" not in name.lower()}
    assert all(any(part in name for name in XENS) for part in match.split("|"))


def test_each_option_and_match_has_a_line_of_comment() -> None:
    for file in [*FOR_XENS.parent.iterdir(), *FOR_ALL.parent.iterdir()]:
        lines = [line.strip() for line in file.read_text().splitlines()]
        for before, line in itertools.pairwise(lines):
            if line.startswith(("Option", "Match")):
                assert before.startswith("# "), f"{file.name}: {line}"
