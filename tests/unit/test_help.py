"""The help of every command fits a terminal of 80 columns."""

import pytest
from click.testing import CliRunner
from command_tree import commands

from xenabs.cli import cli


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_no_line_is_too_long(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
