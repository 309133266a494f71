"""The Debian package has the documents that xenabs names."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_what_is_named_is_shipped() -> None:
    sources = "".join(each.read_text() for each in (CHECKOUT / "xenabs").rglob("*.py"))
    named = set(re.findall(r"\bdocs/[\w-]+\.md", sources))
    assert named
    assert named <= set((CHECKOUT / "debian/xenabs.docs").read_text().split())
