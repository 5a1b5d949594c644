"""`closebell export` and `closebell import`: traders as files, signals as rows.

    closebell export traders FOLDER     closebell import traders FOLDER
    closebell export signals

Not here: what a file says (trader_files), which files change (trader_folder), how traders are
stored (stored_traders), how signals are written (signal_rows).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.arguments import JsonOption
from cli.output import print_json, reporting

if TYPE_CHECKING:
    from cli.trader_folder import Change

export_app = typer.Typer(
    help="Write traders as files, signals as CSV, JSON or NDJSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
import_app = typer.Typer(
    help="Store traders from files.", no_args_is_help=True, rich_markup_mode=None
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="One YAML file a trader.")]
_User = Annotated[
    str,
    typer.Option("--user", metavar="EMAIL", help="Whose they are; not needed if there is one."),
]
_Diff = Annotated[
    bool, typer.Option("--diff", "--dry-run", help="Show what would change; change nothing.")
]


@export_app.command("traders")
def export_traders(
    folder: _Folder,
    user: _User = "",
    diff: _Diff = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete files of traders that are not there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a user's traders into a folder, one YAML file each.

    Example: closebell export traders traders/ --user ann@example.org
    """
    with reporting(as_json):
        from cli.database import connected
        from cli.stored_traders import find_owner, load_stored
        from cli.trader_folder import plan_export, write_files

        with connected() as db:
            stored = load_stored(db, find_owner(db, user))
        changes = plan_export(stored, folder)
        if not diff:
            write_files(changes, folder, delete=delete)
        _show(changes, as_json, is_done=not diff, deletes=delete, what="file")


@import_app.command("traders", short_help="Store the traders of a folder.")
def import_traders(
    folder: _Folder,
    user: _User = "",
    diff: _Diff = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete traders that have no file.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Store the traders of a folder: all of them, or none if one is wrong.

    A trader is known by its name: renaming one makes another.

    Example: closebell import traders traders/ --user ann@example.org --diff
    """
    with reporting(as_json):
        from cli.trader_folder import check_rules, plan_import, read_folder

        files = read_folder(folder)
        check_rules(files)
        from cli.database import connected
        from cli.stored_traders import find_owner, load_stored, store_changes

        # What is only shown is done, too, and rolled back: what it tells is what would happen.
        with connected() as db, db.transaction(force_rollback=diff):
            owner = find_owner(db, user)
            changes = plan_import(files, load_stored(db, owner, for_update=True))
            store_changes(db, owner, changes, delete=delete)
        _show(changes, as_json, is_done=not diff, deletes=delete, what="trader")


@export_app.command("signals", short_help="Write signals, oldest first.")
def export_signals(
    form: Annotated[
        Literal["csv", "json", "ndjson"], typer.Option("--format", help="How rows are written.")
    ] = "csv",
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="Stored since: 10m, 24h, 7d or a date."),
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Stored before it: the same.")
    ] = "",
    user: Annotated[
        str, typer.Option("--user", metavar="EMAIL", help="Whose; without it everybody's.")
    ] = "",
    trader: Annotated[str, typer.Option("--trader", metavar="NAME|ID", help="Of one trader.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output."),
    ] = None,
) -> None:
    """Write signals, oldest first, as many as there are: they are never all in memory.

    Example: closebell export signals --format ndjson --since 7d
    """
    with reporting(False):
        from cli.instants import read_instant
        from cli.signal_rows import Wanted, write_signals

        now = datetime.now(UTC)
        wanted = Wanted(
            since=read_instant(since, "--since", now) if since else None,
            until=read_instant(until, "--until", now) if until else None,
            user=user,
            trader=trader,
        )
        count = write_signals(wanted, form, output)
        if output is not None:
            typer.echo(f"✓ {output}: {count:,} signals")


def _show(
    changes: Sequence[Change], as_json: bool, *, is_done: bool, deletes: bool, what: str
) -> None:
    if as_json:
        print_json({"changes": [change.document() for change in changes], "is_done": is_done})
        return
    from rich.text import Text

    from cli.output import make_console

    console = make_console()
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for change in changes if not is_done else ():
        if change.kind == "removed" and not deletes:
            continue
        for line in change.diff.splitlines():
            console.print(Text(line, style=colours.get(line[:1], "")), soft_wrap=True)
    counts = {
        kind: sum(change.kind == kind for change in changes)
        for kind in ("added", "changed", "same", "removed")
    }
    words = [f"{kind} {counts[kind]}" for kind in ("added", "changed", "same")]
    if counts["removed"]:
        words.append(f"removed {counts['removed']}" if deletes else f"left {counts['removed']}")
    console.print(f"{'✓' if is_done else '!'} {what}s: {', '.join(words)}")
    if counts["removed"] and not deletes:
        names = ", ".join(change.shown_name for change in changes if change.kind == "removed")
        # A Text is printed as it is: no word of a name is taken for a colour or an emoji.
        console.print(Text(f"  left as they are, --delete removes them: {names}"), soft_wrap=True)
    if not is_done:
        console.print("  nothing was written: without --diff it is")
    sys.stdout.flush()
