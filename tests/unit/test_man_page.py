"""The man page tells every command and option that there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_tree import commands

PAGE = Path(__file__).parents[2] / "docs/xenabs.1"


def told() -> Iterator[str]:
    for words, command in commands():
        if words:
            yield words[-1]
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    yield from parameter.opts


@pytest.mark.parametrize("word", sorted(set(told())))
def test_the_man_page_has(word: str) -> None:
    text = re.sub(r'\\f.|"', "", PAGE.read_text().replace(r"\-", "-"))
    commands = text.partition(".SH COMMANDS")[2].partition(".SH EXIT")[0]
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", commands)
