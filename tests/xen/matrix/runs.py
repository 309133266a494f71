"""pytest for one cell, and what each of its tests gave."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from core import __all__ as TESTS

from matrix.cells import Cell

PASSED = "yes"
HERE = Path(__file__).parent
#: the exception's name, as pytest writes it before its words
EXCEPTION = re.compile(r"^(failed on \w+ with \")?([\w.]+(Error|Exception|Expired|Failed): )?")
LONGEST = 160


@dataclass(frozen=True)
class Result:
    """What a cell gave: the guest's kernel, and for each test of the core PASSED or a sentence."""

    kernel: str
    tests: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether all have passed."""
        return set(self.tests) == {PASSED}


def run(cell: Cell, log: Path) -> Result:
    """Run the core in a fresh bed; what pytest says goes to ``log``."""
    with tempfile.TemporaryDirectory() as name, open(log, "wb") as output:
        report = Path(name) / "report.xml"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
                *(f"--junitxml={report}", HERE / "one_cell.py"),
            ],
            env={**os.environ, "XENABS_CELL": str(cell), "XENABS_HOST": cell.host},
            stdout=output,
            stderr=output,
            check=False,
        )
        if not report.exists():
            return Result("", (f"pytest did not run: see {log}",) * len(TESTS))
        return _read(report)


def _read(report: Path) -> Result:
    root = ElementTree.parse(report)
    found = root.find(".//properties/property[@name='kernel']")
    outcomes = {case.get("name"): _outcome(case) for case in root.iter("testcase")}
    return Result(
        "" if found is None else found.get("value", ""),
        tuple(outcomes.get(name, "was not run") for name in TESTS),
    )


def _outcome(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        for fault in case.findall(kind):
            first = fault.get("message", "").splitlines()[0] if fault.get("message") else kind
            return EXCEPTION.sub("", first).strip('" ')[:LONGEST]
    return PASSED
