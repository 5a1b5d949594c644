"""`closebell schedules`: what runs when, and how to pause, resume, run and change it.

Thin: arguments in, a view or routine of the schema `ops` asked, its answer shown. The same can be
done in an SQL editor (docs/schedules.md). Not here: how it looks (schedule_screens).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import JsonOption, read_instant_ms
from cli.completion import complete_schedules
from cli.instants import read_duration_s
from cli.output import make_console, print_json, reporting
from shared.errors import InvalidRequest

if TYPE_CHECKING:
    from cli.database import Connection, Row

app = typer.Typer(
    help="See what runs when; pause, resume, run and change it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# A run by hand may take longer than a question: ops.trim works off a backlog.
_RUN_TIMEOUT_MS = 600_000

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of a schedule.", autocompletion=complete_schedules),
]
NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="Names of schedules.", autocompletion=complete_schedules),
]
AllOption = Annotated[bool, typer.Option("--all", help="All schedules.")]
PageArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PAGE]",
        help="Page of schedules, .sql or .json; without it sql/schedules.sql.",
        show_default=False,
    ),
]


@app.command("list")
def list_schedules(as_json: JsonOption = False) -> None:
    """List the schedules: next run, last run, pauses."""
    with reporting(as_json):
        from cli.database import connected

        with connected() as db:
            rows = _documents(db, "select to_jsonb(s) from ops.schedules as s")
            differences = _documents(db, "select to_jsonb(d) from ops.diff() as d")
        if as_json:
            print_json({"schedules": rows, "differences": differences})
        else:
            from cli import schedule_screens

            schedule_screens.show_list(make_console(), rows, differences)


@app.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one schedule: next runs, last runs, changes."""
    with reporting(as_json):
        from cli.database import connected

        with connected() as db:
            # Refuses an unknown name.
            history = _documents(db, "select to_jsonb(h) from ops.history(%s, 5) as h", name)
            rows = _documents(
                db, "select to_jsonb(s) from ops.schedules as s where name = %s", name
            )
            changes = _documents(
                db,
                "select to_jsonb(a) from ops.audit as a where object = %s order by at desc limit 5",
                f"schedule {name}",
            )
        if not rows:
            raise InvalidRequest(
                f"expected a schedule of the timetable, {name} left it",
                hint=f"its past is in `closebell schedules history {name}`",
                field="name",
            )
        if as_json:
            print_json({"schedule": rows[0], "history": history, "changes": changes})
        else:
            from cli import schedule_screens

            schedule_screens.show_one(make_console(), rows[0], history, changes)


@app.command()
def pause(
    names: NamesArgument = None,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; whoever finds it paused wants to know.")
    ] = "",
    length: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long: 90s, 10m, 2h, 1h30m, 3d.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="INSTANT", help="Until then (RFC 3339, UTC).")
    ] = "",
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Skip runs for a while, or until they are resumed.

    Example: closebell schedules pause tick --for 2h --reason "the venue is down"
    """
    with reporting(as_json):
        if length and until:
            raise InvalidRequest("expected --for or --until, were both", field="until")
        length_s = read_duration_s(length, "--for") if length else None
        until_ms = read_instant_ms(until, "--until")
        _check_names(names, every)
        from cli.database import connected

        with connected() as db:
            _tell(
                db,
                names,
                "select ops.pause(name, case when %s::bigint is not null"
                " then to_timestamp(%s::bigint / 1000.0)"
                " else coalesce(now() + make_interval(secs => %s::bigint), 'infinity') end, %s)"
                " as line from unnest(%s::text[]) as name",
                (until_ms, until_ms, length_s, reason),
                as_json,
            )


@app.command()
def resume(
    names: NamesArgument = None, every: AllOption = False, as_json: JsonOption = False
) -> None:
    """End pauses; the next tick makes up for missed slots."""
    with reporting(as_json):
        _check_names(names, every)
        from cli.database import connected

        with connected() as db:
            _tell(
                db,
                names,
                "select ops.resume(name) as line from unnest(%s::text[]) as name",
                (),
                as_json,
            )


@app.command()
def run(name: NameArgument, as_json: JsonOption = False) -> None:
    """Run a schedule once, now, and wait for its end.

    It runs also if it is paused. A run that fails is told with its error, and ends with 1.

    Example: closebell schedules run tick
    """
    with reporting(as_json):
        from cli.database import connected, fetch

        with connected() as db:
            db.execute("select set_config('statement_timeout', %s, false)", (str(_RUN_TIMEOUT_MS),))
            (row,) = fetch(db, "call ops.run_now(%s)", name)
            (done,) = _documents(db, "select to_jsonb(h) from ops.history(%s, 1) as h", name)
        if as_json:
            print_json({"run": done, "answer": row["answer"]})
        else:
            typer.echo(f"✓ {name} ran in {done['took_ms']:,.1f} ms")
            if row["answer"] is not None:
                print_json(row["answer"])


@app.command()
def history(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]", help="Name; without it all.", autocompletion=complete_schedules
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="Runs to show, at most.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the last runs and how they ended.

    Example: closebell schedules history trim -n 50
    """
    with reporting(as_json):
        from cli.database import connected

        with connected() as db:
            rows = _documents(
                db, "select to_jsonb(h) from ops.history(%s, %s) as h", name or None, limit
            )
        if as_json:
            print_json({"history": rows})
        else:
            from cli import schedule_screens

            schedule_screens.show_history(make_console(), rows)


@app.command()
def diff(page: PageArgument = None, as_json: JsonOption = False) -> None:
    """Show what `apply` would change; change nothing.

    Also told: jobs of pg_cron that are on no page.
    """
    _apply(page, dry_run=True, as_json=as_json)


@app.command()
def apply(
    page: PageArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, as `diff` does.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the timetable equal to a page, or refuse it.

    A page is an SQL file such as sql/schedules.sql, or JSON: a list of objects with name, timing,
    command, description and, if it is not skip, overlap.
    """
    _apply(page, dry_run=dry_run, as_json=as_json)


def _apply(page: Path | None, *, dry_run: bool, as_json: bool) -> None:
    with reporting(as_json):
        from cli.schedule_page import apply_page, read_page
        from cli.settings import PROJECT

        path = page or PROJECT / "sql" / "schedules.sql"
        text = read_page(path)
        from cli.database import connected

        with connected() as db:
            rows = apply_page(db, path, text, dry_run=dry_run)
        if as_json:
            print_json({"applied": not dry_run, "changes": rows})
            return
        from cli import schedule_screens

        schedule_screens.show_changes(make_console(), rows)
        if all(row["change"] == "unmanaged" for row in rows):
            typer.echo(f"✓ nothing to change: pg_cron runs what {path.name} says")
        elif not dry_run:
            typer.echo(f"✓ applied {path.name}")


def _documents(db: Connection, query: Any, *values: object) -> list[Row]:
    """Return the one JSON column of each row: times come as RFC 3339 in UTC, or `infinity`."""
    from cli.database import fetch

    return [next(iter(row.values())) for row in fetch(db, query, *values)]


def _check_names(names: list[str] | None, every: bool) -> None:
    if bool(names) == every:
        raise InvalidRequest(
            "expected names of schedules or --all, were " + ("both" if names else "neither"),
            hint="`closebell schedules list` shows them",
            field="name",
        )


def _tell(
    db: Connection,
    names: list[str] | None,
    query: Any,
    values: tuple[object, ...],
    as_json: bool,
) -> None:
    """Do one thing to all named schedules, or to none of them, and tell what came of it."""
    from cli.database import fetch

    chosen = names or [row["name"] for row in fetch(db, "select name from ops.timetable")]
    lines = [row["line"] for row in fetch(db, query, *values, sorted(set(chosen)))]
    if as_json:
        query = "select to_jsonb(s) from ops.schedules as s where name = any (%s)"
        print_json({"schedules": _documents(db, query, chosen)})
    else:
        typer.echo("\n".join(f"✓ {line}" for line in lines))
