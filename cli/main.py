"""`closebell`: the wiring of the command line. Each group of commands is a module of its own.

What a command needs is imported when it runs, not here: `closebell --help` answers at once.
"""

from __future__ import annotations

import typer
from typer.core import TyperGroup

from cli.backup import backup, restore
from cli.cost import app as cost_app
from cli.deploy import deploy
from cli.doctor import doctor
from cli.incidents import app as incidents_app
from cli.logs import logs
from cli.rules import app as rules_app
from cli.runs import app as runs_app
from cli.schedules import app as schedules_app
from cli.status import status
from cli.transfer import export_app, import_app

# In the order of a day: what a rule does, how everything is, what was, what to keep.
_ORDER = (
    "rules",
    "status",
    "doctor",
    "schedules",
    "runs",
    "logs",
    "incidents",
    "cost",
    "backup",
    "restore",
    "export",
    "import",
    "deploy",
)


class _Commands(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:
        """Return the commands in our order; typer would put groups after the others."""
        return sorted(self.commands, key=_ORDER.index)


app = typer.Typer(
    cls=_Commands,
    help="Closebell: a rule you write once is checked on every symbol at every close.",
    no_args_is_help=True,
    # Plain help: the decorated one takes a tenth of a second to import.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rules_app, name="rules")
app.add_typer(schedules_app, name="schedules")
app.add_typer(runs_app, name="runs")
app.command(short_help="Show what functions, collector, schedules and database say.")(logs)
app.add_typer(incidents_app, name="incidents")
app.add_typer(export_app, name="export")
app.add_typer(import_app, name="import")
app.command(short_help="Write everything the system holds into one file.")(backup)
app.command(short_help="Verify a backup, or restore it.")(restore)
app.add_typer(
    cost_app, name="cost", short_help="See what is used, what it costs, what it would cost."
)
app.command(short_help="Show on one screen how everything is.")(status)
app.command(short_help="Check every part, and say what mends it.")(doctor)
app.command(short_help="Deploy database, functions, collector, dashboard; check them.")(deploy)


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
