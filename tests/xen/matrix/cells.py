"""The guests of the matrix, and their names."""

from __future__ import annotations

from dataclasses import dataclass

from testbed import Wanted, domain, suites

SIZES = ((1280, 800), (1366, 768))
#: suites whose HVM guests are tried
HVM_SUITES = ("bookworm", "trixie")
MEMORY = 512


@dataclass(frozen=True, order=True)
class Cell:
    """One guest: the suite of its host, its own, its kind and screen."""

    host: str
    suite: str
    kind: str
    size: tuple[int, int]

    @property
    def screen(self) -> str:
        """The screen as in "1280x800"."""
        return "{}x{}".format(*self.size)

    def __str__(self) -> str:
        return " ".join((self.host, self.suite, self.kind, self.screen))

    @classmethod
    def named(cls, name: str) -> Cell:
        """Return the cell whose text ``name`` is."""
        host, suite, kind, screen = name.split()
        width, _, height = screen.partition("x")
        return cls(host, suite, kind, (int(width), int(height)))

    def wanted(self) -> Wanted:
        """Return what the test bed is to start."""
        return Wanted(kind=self.kind, size=self.size, suite=self.suite, memory=MEMORY)

    def place(self) -> tuple[int, int, int, tuple[int, int]]:
        """Return what sorts cells in the order in which the table has them."""
        return (
            suites.HOSTS.index(self.host),
            tuple(suites.SUITES).index(self.suite),
            domain.KINDS.index(self.kind),
            self.size,
        )


def cells(host: str) -> list[Cell]:
    """Return all cells on a host."""
    return [
        Cell(host, suite, kind, size)
        for suite in suites.SUITES
        for kind in domain.KINDS
        for size in SIZES
        if kind != "hvm" or suite in HVM_SUITES
    ]
