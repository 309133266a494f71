"""docs/tried.md: the table of what was tried, which is also where earlier results are kept."""

from __future__ import annotations

from pathlib import Path

from core import __all__ as TESTS

from matrix.cells import Cell
from matrix.runs import PASSED, Result

HEAD = """\
# Where xenabs was tried

`make matrix` boots each of these guests on a real Xen, without KVM, and writes this table; how is
said in [development.md](development.md). Host is the Debian suite of Xen, dom0 and its QEMU, guest
that of the guest's packages and kernel. What is not "yes" says what was seen.

"""
COLUMNS = ("host", "guest", "kind", "screen", "Linux")


def _heading(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ").replace("save and", "save,")


def _row(words: list[str]) -> str:
    return "| " + " | ".join(word.replace("|", "/") or " " for word in words) + " |\n"


def text(results: dict[Cell, Result]) -> str:
    """Return the page for these results."""
    names = [*COLUMNS, *(_heading(test) for test in TESTS)]
    rows = [_row(names), _row(["---"] * len(names))]
    for cell in sorted(results, key=Cell.place):
        result = results[cell]
        place = [cell.host, cell.suite, cell.kind.upper(), cell.screen, result.kernel]
        rows.append(_row([*place, *result.tests]))
    return HEAD + "".join(rows)


def read(page: Path) -> dict[Cell, Result]:
    """Return the results on a page that `text` has made; none if there is no page."""
    results: dict[Cell, Result] = {}
    for line in page.read_text().splitlines() if page.exists() else []:
        words = [word.strip() for word in line.strip("|").split("|")]
        if not line.startswith("|") or words[0] in ("host", "---"):
            continue
        host, suite, kind, screen, kernel, *tests = words
        if len(tests) == len(TESTS):
            cell = Cell.named(f"{host} {suite} {kind.lower()} {screen}")
            results[cell] = Result(kernel, tuple(tests))
    return results


def summary(result: Result) -> str:
    """Return a line for people: that all is well, or what is not."""
    faults = {}
    for test, said in zip(TESTS, result.tests, strict=True):
        if said != PASSED:
            faults.setdefault(said, []).append(_heading(test))
    return "; ".join(f"{', '.join(tests)}: {said}" for said, tests in faults.items()) or "all well"
