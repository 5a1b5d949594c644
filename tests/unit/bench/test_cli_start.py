"""The promise of a quick first output is measured for every command there is."""

from __future__ import annotations

from collections.abc import Iterator

from typer.core import TyperGroup
from typer.main import get_command

from bench.cli_start import commands
from cli.main import app


def leaves(command: object, name: str) -> Iterator[str]:
    """Yield the names of the commands that can be called without a further word of a command."""
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield name
    if isinstance(command, TyperGroup):
        for word, below in command.commands.items():
            yield from leaves(below, f"{name} {word}".strip())


def test_every_command_is_measured() -> None:
    main = get_command(app)
    assert isinstance(main, TyperGroup)
    assert set(commands("/nowhere")) - {"--help"} == {
        name for word, command in main.commands.items() for name in leaves(command, word)
    }
