"""What a newcomer reads first: the commands in an order, each in one whole sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


def groups() -> Iterator[list[str]]:
    """Yield the words of `closebell` and of each group of commands."""
    main = get_command(app)
    assert isinstance(main, TyperGroup)
    yield []
    yield from (
        [name] for name, command in main.commands.items() if isinstance(command, TyperGroup)
    )


@pytest.mark.parametrize("words", list(groups()), ids=" ".join)
def test_no_sentence_is_cut_off(words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"})
    _, _, commands = done.output.partition("Commands:\n")
    assert commands
    assert [line for line in commands.splitlines() if not line.endswith((".", "?"))] == []
    assert "..." not in commands


def test_page_lists_every_command_in_the_order_of_the_help() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output.partition("Commands:\n")[2]
    named = [line.split()[0] for line in shown.splitlines()]
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `closebell ")]
    listed = list(dict.fromkeys(row.split("`")[1].split()[1] for row in rows))
    assert listed == named
