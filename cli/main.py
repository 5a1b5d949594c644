"""`closebell`: the wiring of the command line. Each group of commands is a module of its own.

What a command needs is imported when it runs, not here: `closebell --help` answers at once.
"""

from __future__ import annotations

import typer

from cli.deploy import deploy
from cli.rules import app as rules_app

app = typer.Typer(
    help="Closebell: a rule you write once is checked on every symbol at every close.",
    no_args_is_help=True,
    # Plain help: the decorated one takes a tenth of a second to import.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rules_app, name="rules")
app.command()(deploy)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"closebell {version('closebell')}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Read what stands before the command."""


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    app()
