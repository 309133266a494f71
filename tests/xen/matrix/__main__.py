"""The command line of the matrix."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from matrix import runs, table
from matrix.cells import SIZES, Cell, cells
from testbed import domain, images, lock, suites
from testbed.cli import told
from testbed.progress import say

#: each keeps a processor busy
BEDS = 2


def chosen(cell: Cell, names: str, kinds: str, sizes: str) -> bool:
    """Return whether a cell is among the named; an empty text names all."""
    asked = ((names, cell.suite), (kinds, cell.kind), (sizes, cell.screen))
    return all(not words or one in words.split() for words, one in asked)


@click.command()
@click.argument("page", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--suites", "names", default="", help=f"Of {' '.join(suites.SUITES)}.")
@click.option("--kinds", default="", help=f"Of {' '.join(domain.KINDS)}.")
@click.option("--sizes", default="", help=f"Of {' '.join('{}x{}'.format(*s) for s in SIZES)}.")
@click.option("--host", type=click.Choice(suites.HOSTS), default=suites.DEFAULT)
@click.option("--beds", type=click.IntRange(1, BEDS), default=BEDS, show_default=True)
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path), required=True)
def matrix(
    page: Path, names: str, kinds: str, sizes: str, host: str, beds: int, logs: Path
) -> None:
    """Run the core for the chosen guests, and put the results on PAGE."""
    wanted = [cell for cell in cells(host) if chosen(cell, names, kinds, sizes)]
    if not wanted:
        raise click.UsageError("No guest is in all that was chosen.")
    images.obtain_host(host)
    for cell in wanted:
        images.obtain_guest(cell.wanted())
    logs.mkdir(parents=True, exist_ok=True)
    bad = 0
    with ThreadPoolExecutor(beds) as pool:
        pending = {
            pool.submit(runs.run, cell, logs / f"{str(cell).replace(' ', '-')}.log"): cell
            for cell in wanted
        }
        for done in as_completed(pending):
            cell, result = pending[done], done.result()
            with lock.held(logs / "lock", "another matrix is writing"):
                results = {**table.read(page), cell: result}
                page.write_text(table.text(results))
            say(f"{cell}: {table.summary(result)}")
            bad += not result.good
    click.echo(page.read_text())
    if bad:
        sys.exit(f"{bad} of {len(wanted)} guests have something that does not work.")


if __name__ == "__main__":
    told(lambda: matrix(prog_name="make matrix"))
