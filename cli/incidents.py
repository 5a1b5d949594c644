"""`closebell incidents`: what is abnormal, who takes it in hand, when it ended.

Thin: the watch (ops.watch) decides what an incident is; here they are listed, taken in hand and
closed. What each kind means and what to do: docs/runbook.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import JsonOption
from cli.completion import complete_incidents
from cli.output import print_json, reporting, screen_width

if TYPE_CHECKING:
    from cli.database import Row

app = typer.Typer(
    help="See what is abnormal, take it in hand, close it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_ID_MAX = 2**63 - 1
_COLUMNS = (
    "id, kind, subject, severity, message, details, raised_at, last_seen_at,"
    " acknowledged_at, acknowledged_by, note, closed_at, closed_by"
)

IdArgument = Annotated[
    int,
    typer.Argument(
        metavar="ID",
        min=1,
        max=_ID_MAX,
        help="Number of an incident.",
        autocompletion=complete_incidents,
    ),
]
IdsArgument = Annotated[
    list[int],
    typer.Argument(
        metavar="ID…",
        min=1,
        max=_ID_MAX,
        help="Numbers of incidents.",
        autocompletion=complete_incidents,
    ),
]
NoteOption = Annotated[
    str, typer.Option("--note", "-m", help="What others should know, at most 500 characters.")
]


@app.command("list")
def list_incidents(
    with_closed: Annotated[
        bool, typer.Option("--all", "-a", help="Closed ones as well, the newest first.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="Show so many, at most.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """List open incidents, errors first. Looks first if pg_cron has not for a while.

    Example: closebell incidents list --all
    """
    with reporting(as_json):
        from cli.database import connected, fetch

        with connected() as db:
            fetch(db, "select ops.watch_if_late()")
            (state,) = fetch(db, "select watched_at, late_since, now() as now from ops.watch_state")
            rows = fetch(
                db,
                f"select {_COLUMNS} from ops.incidents where closed_at is null or %s"
                " order by closed_at desc nulls first, severity, raised_at desc, id desc limit %s",
                with_closed,
                limit + 1,
            )
        shown = rows[:limit]
        if as_json:
            state.pop("now")
            print_json({"incidents": shown, "has_more": len(rows) > limit, **state})
            return
        from cli.incident_screens import list_lines

        _print(
            list_lines(
                shown, state, screen_width(), with_closed=with_closed, has_more=len(rows) > limit
            )
        )


@app.command()
def show(incident_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show everything that is known of an incident.

    Example: closebell incidents show 12
    """
    with reporting(as_json):
        from cli.database import connected, fetch
        from shared.errors import InvalidRequest

        with connected() as db:
            found = fetch(
                db,
                f"select {_COLUMNS}, now() as now from ops.incidents where id = %s",
                incident_id,
            )
        if not found:
            raise InvalidRequest(
                f"expected an incident {incident_id}, found none",
                hint="closebell incidents list --all",
                field="id",
            )
        (row,) = found
        now = row.pop("now")
        if as_json:
            print_json(row)
            return
        from cli.incident_screens import one_lines

        _print(one_lines(row, now, screen_width()))


@app.command(short_help="Take incidents in hand.")
def ack(incident_ids: IdsArgument, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Say that you take incidents in hand: all of them, or none if one is closed or unknown.

    Example: closebell incidents ack 12 13 --note "restarting the collector"
    """
    with reporting(as_json):
        rows = _change("select * from ops.acknowledge_incident(%s, %s, %s)", incident_ids, note)
        if as_json:
            print_json({"incidents": rows})
            return
        for row in rows:
            who = row["acknowledged_by"]
            typer.echo(f"✓ {row['id']} {row['kind']} · {row['subject']}: in hands of {who}")


@app.command(short_help="Close incidents by hand.")
def close(incident_ids: IdsArgument, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Close incidents by hand; whatever is still abnormal is raised anew within a minute.

    Closing a slot_missing settles the closes it named.

    Example: closebell incidents close 12 --note "the venue was down, nothing to mend"
    """
    with reporting(as_json):
        rows = _change("select * from ops.close_incident(%s, %s, %s)", incident_ids, note)
        if as_json:
            print_json({"incidents": rows})
            return
        for row in rows:
            typer.echo(f"✓ {row['id']} {row['kind']} · {row['subject']}: closed")


def _change(query: Any, incident_ids: list[int], note: str) -> list[Row]:
    """Call a routine for each incident, in one transaction; return the incidents."""
    from cli.database import connected, fetch, user_name

    who = user_name()
    with connected() as db, db.transaction():
        return [_one(fetch(db, query, incident_id, note, who)) for incident_id in incident_ids]


def _one(rows: list[Row]) -> Row:
    (row,) = rows
    row.pop("quiet_s")
    return row


def _print(lines: list[str]) -> None:
    """Print lines; their colours on a terminal only, and not if NO_COLOR is set."""
    typer.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)
