"""`closebell runs`: the slots there were, and the whole story of one of them.

Thin: a slot in, one document from Postgres out. Not here: what a slot is (slots.py), how its story
looks (run_screen.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from cli.colours import has_colour
from cli.output import print_json, reporting, screen_width

app = typer.Typer(
    help="See which slots were evaluated, and the story of one of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SLOTS_MAX = 10_000
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]


@app.command("list", short_help="List slots, newest first.")
def list_slots(
    count: Annotated[
        int, typer.Option("-n", "--tail", min=1, max=SLOTS_MAX, help="The newest so many slots.")
    ] = 20,
    interval: Annotated[
        Interval | None, typer.Option("--interval", "-i", help="Slots of this interval.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Closes after 10m (ago), 2h or 2026-11-21T17:00:00Z.")
    ] = "1d",
    unwell: Annotated[
        bool, typer.Option("--unwell", help="Only those that are not finished, or late.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List slots, newest first: status, traders, signals, how long after the close.

    Example: closebell runs list --interval 1m --since 2h
    """
    with reporting(as_json):
        from cli.instants import read_instant

        from_at = read_instant(since, "--since", datetime.now(UTC))
        from cli.database import connected, fetch
        from cli.run_screen import list_lines, plain

        with connected() as db:
            slots = fetch(
                db,
                "select * from ops.list_slots(%s::text, %s::timestamptz, %s::boolean, %s)",
                interval,
                from_at,
                unwell,
                count,
            )
        if as_json:
            print_json([plain(slot) for slot in slots])
        else:
            typer.echo("\n".join(list_lines(slots)))


@app.command(short_help="Tell the story of a slot, from the tick to its signals.")
def show(
    slot: Annotated[
        list[str],
        typer.Argument(
            metavar="SLOT…",
            help="latest, 1m, 1m 17:00, binance 1m 2026-11-21T17:00:00Z, or the number of a run.",
        ),
    ],
    lines: Annotated[
        int, typer.Option("-n", "--tail", min=0, max=1000, help="The newest so many log lines.")
    ] = 50,
    as_json: JsonOption = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
) -> None:
    """Tell the story of a slot: tick, request, frame, shards, traders, signals, stages, log.

    Example: closebell runs show 1m 17:00
    """
    with reporting(as_json):
        from cli.slots import read_slot

        wanted = read_slot(slot, datetime.now(UTC))
        from cli.database import connected, fetch
        from cli.run_screen import story_lines
        from shared.hidden import hide_value

        with connected() as db:
            found = fetch(
                db,
                "select * from ops.find_slot(%s::bigint, %s::text, %s::text, %s::timestamptz)",
                wanted.run_id,
                wanted.venue,
                wanted.interval,
                wanted.closed_at,
            )[0]
            story = fetch(
                db,
                "select ops.slot_story(%s, %s, %s, %s) as story",
                found["venue"],
                found["interval"],
                found["closed_at"],
                lines,
            )[0]["story"]
        if as_json:
            print_json(hide_value(story))
        else:
            typer.echo("\n".join(story_lines(story, has_colour(no_color), screen_width())))
