"""`closebell logs`: one stream of lines of functions, collector, schedules and database.

Thin: arguments in, filters out, lines printed as they come. Not here: what a filter means (the
routine ops.read_logs), how a line looks (log_text), how nothing is shown twice (log_cursor).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from cli.colours import has_colour
from cli.completion import complete_sources
from cli.output import print_event, print_json, reporting
from shared.errors import InvalidRequest

LINES_MAX = 1_000_000
INTERRUPTED = 130

Level = Literal["debug", "info", "warn", "warning", "error"]


def logs(
    functions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FUNCTION…]",
            help="Whose lines: functions by name, collector, schedules, postgres; all without."
            " The word sources lists them.",
            autocompletion=complete_sources,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Go on with lines as they come.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(help="Lines after 10m (ago), 2h, 1d or 2026-11-21T17:00:00Z.", metavar="TIME"),
    ] = "",
    until: Annotated[str, typer.Option(help="Lines before this time.", metavar="TIME")] = "",
    tail: Annotated[
        int,
        typer.Option(
            "--tail", "-n", min=0, max=LINES_MAX, help="The newest so many lines.", metavar="N"
        ),
    ] = 100,
    level: Annotated[Level | None, typer.Option(help="Lines of this level and above.")] = None,
    run: Annotated[
        list[int] | None, typer.Option(help="Lines of this run; repeatable.", metavar="ID")
    ] = None,
    trader: Annotated[
        list[int] | None, typer.Option(help="Lines of this trader; repeatable.", metavar="ID")
    ] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="Lines of this instrument; repeatable.", metavar="SYMBOL"),
    ] = None,
    grep: Annotated[str, typer.Option(help="Lines whose text matches.", metavar="REGEX")] = "",
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Lines whose text does not match; repeatable.", metavar="REGEX"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
) -> None:
    """Show log lines of functions, collector, schedules and database in one stream, by time.

    Examples: closebell logs -f · closebell logs execute_traders --level warn --since 2h ·
    closebell logs --grep "code=Stale" --exclude BTC · closebell logs sources
    """
    with reporting(as_json):
        try:
            if functions == ["sources"]:
                _show_sources(as_json)
                return
            filters = _filters(functions, since, until, level, run, trader, symbol, grep, exclude)
            if follow and until:
                raise InvalidRequest("expected --follow or --until, was both", field="until")
            _hide_own_secrets()
            colour = has_colour(no_color)
            if follow:
                _follow(filters, tail, as_json, colour)
            else:
                _show(filters, tail, as_json, colour)
        except InvalidRequest as error:
            raise _with_near_name(error, functions or []) from error
        except KeyboardInterrupt:
            # Ctrl-C is how a follower is ended: no message.
            sys.stdout.flush()
            raise typer.Exit(INTERRUPTED) from None


def _filters(
    functions: list[str] | None,
    since: str,
    until: str,
    level: Level | None,
    run: list[int] | None,
    trader: list[int] | None,
    symbol: list[str] | None,
    grep: str,
    exclude: list[str] | None,
) -> dict[str, Any]:
    """Return what ops.read_logs is asked. Raises: InvalidRequest naming the option."""
    from cli.instants import read_instant, show_instant

    now = datetime.now(UTC)
    from_at = read_instant(since, "--since", now) if since else None
    to_at = read_instant(until, "--until", now) if until else None
    if from_at and to_at and from_at >= to_at:
        raise InvalidRequest(
            f"expected --since before --until, was {show_instant(from_at)}"
            f" and {show_instant(to_at)}",
            field="since",
        )
    filters = {
        "sources": functions,
        "since": from_at.isoformat() if from_at else None,
        "until": to_at.isoformat() if to_at else None,
        "level": "warn" if level == "warning" else level,
        "run_ids": run,
        "trader_ids": trader,
        "symbols": [name.upper() for name in symbol or ()],
        "grep": grep,
        "exclude": exclude,
    }
    return {name: value for name, value in filters.items() if value}


def _with_near_name(error: InvalidRequest, functions: list[str]) -> InvalidRequest:
    """Return the refusal of a name with the one that was meant; any other as it is."""
    from difflib import get_close_matches

    name = error.message.rpartition(", was ")[2]
    if name not in functions:
        return error
    near = complete_sources(name) or get_close_matches(name, complete_sources(""), n=1)
    if not near:
        return error
    return InvalidRequest(error.message, hint=f"did you mean {near[0]}?", field="functions")


def _show(filters: dict[str, Any], tail: int, as_json: bool, colour: bool) -> None:
    from cli.log_follow import read_newest

    rows, has_older = read_newest(filters, tail)
    _print(rows, as_json, colour)
    if as_json:
        return
    if not rows and tail:
        _tell("no line is like that")
    elif has_older and sys.stderr.isatty():
        _tell(f"there are older lines; -n {max(10 * tail, 100)} shows more")


def _follow(filters: dict[str, Any], tail: int, as_json: bool, colour: bool) -> None:
    from cli.log_follow import follow

    def tell(sentence: str) -> None:
        if as_json:
            print_event({"note": sentence})
        else:
            _tell(sentence)

    for rows in follow(filters, tail, tell):
        _print(rows, as_json, colour)


def _print(rows: list[dict[str, Any]], as_json: bool, colour: bool) -> None:
    from cli.log_text import document, show_line

    if as_json:
        for row in rows:
            print_json(document(row))
        return
    # Line by line: where output is not buffered, a reader that has gone is noticed at a write's
    # beginning only.
    for row in rows:
        sys.stdout.write(f"{show_line(row, colour)}\n")
    sys.stdout.flush()


def _show_sources(as_json: bool) -> None:
    from cli.database import connected, fetch
    from cli.instants import ago, show_instant

    with connected() as db:
        sources = fetch(db, "select * from ops.list_log_sources()")
        days = fetch(db, "select * from ops.list_log_days()")
    now = datetime.now(UTC)
    if as_json:
        print_json(
            {
                "sources": [
                    row | {key: show_instant(row[key]) for key in _TIMES if row[key] is not None}
                    for row in sources
                ],
                "days": [row | {"day": row["day"].isoformat()} for row in days],
            }
        )
        return
    lines = [f"{'source':<20}{'lines':>9}{'problems':>10}  {'last line':<16}last problem"]
    for row in sources:
        last, problem = (
            ago((now - row[key]).total_seconds()) if row[key] else "–" for key in _TIMES
        )
        counts = f"{row['lines_count']:>9,}{row['problems_count']:>10,}"
        lines.append(f"{row['source']:<20}{counts}  {last:<16}{problem}")
    lines += ["", f"{'day (UTC)':<20}{'lines':>9}{'MB':>10}  {'of the most':<16}left out"]
    for row in days:
        share = f"{row['share']:.0%}"
        left_out = ", ".join(
            f"{row[key]:,} {why}"
            for key, why in (("sampled_count", "by sampling"), ("dropped_count", "day was full"))
            if row[key]
        )
        counts = f"{row['lines_count']:>9,}{row['bytes_count'] / 1e6:>10.1f}"
        lines.append(f"{row['day'].isoformat():<20}{counts}  {share:<16}{left_out or '–'}")
    typer.echo("\n".join(lines))


_TIMES = ("last_at", "last_problem_at")


def _hide_own_secrets() -> None:
    """Hide what this machine knows to be secret, whatever a line says."""
    from urllib.parse import urlsplit

    from cli.settings import read_values
    from shared.hidden import SECRET_NAME, remember_values

    values = read_values()
    remember_values(text for name, text in values.items() if SECRET_NAME.search(name))
    password = urlsplit(values.get("database_url", "")).password
    remember_values([password] if password else [])


def _tell(sentence: str) -> None:
    sys.stderr.write(f"closebell: {sentence}\n")
    sys.stderr.flush()
