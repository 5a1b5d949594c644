"""How slots look: a list, and the story of one. Pure: documents of Postgres in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from cli.colours import paint
from cli.instants import show_instant
from cli.log_text import one_line, show_line
from shared.hidden import hide_text

Document = dict[str, Any]

_COLOURS = {"finished": "green", "failed": "red", "missing": "red"}
# As `runs list --unwell` counts it (ops.list_slots): made, or finished, so long after the close.
_LATE_AFTER = timedelta(seconds=90)
# In the order in which they happen; others follow.
_STAGES = ("claim", "load", "prepare", "evaluate", "emit")
# "run 123456 finished"; with it what follows ends before column 80.
_WHAT_WIDTH = 19


def list_lines(slots: Sequence[Document]) -> list[str]:
    """Return the lines of a list, newest slot first."""
    if not slots:
        return ["no slot is like that"]
    heads = ("slot", "status", "shards", "traders", "signals", "after")
    rows = [
        (
            # To the minute, as every close is; `runs show` takes it so.
            f"{slot['venue']} {slot['interval']} {slot['closed_at']:%Y-%m-%dT%H:%MZ}",
            _slot_status(slot),
            f"{slot['finished_count']}/{slot['runs_count']}",
            _count(slot["traders_count"]),
            _count(slot["signals_count"]),
            _after(slot["finished_at"], slot["closed_at"]),
        )
        for slot in slots
    ]
    return _table(heads, rows, left=2)


def story_lines(story: Document, colour: bool, width: int) -> list[str]:
    """Return the screen of one slot: what happened, in order, run by run, and the log."""
    slot, runs = story["slot"], story["runs"]
    closed_at = _instant(slot["closed_at"])
    status = _status(story)
    title = f"{slot['venue']} {slot['interval']} {slot_time(closed_at)}"
    shown = paint(status, _COLOURS.get(status, "yellow"), colour)
    summary = _summary(runs)
    fits = len(f"{title}  {status}  {summary}") <= width
    head = f"{paint(title, 'bold', colour)}  {shown}"
    lines = [f"{head}  {summary}", ""] if fits else [head, summary, ""]
    events = sorted(_events(story, closed_at), key=lambda event: event[0])
    lines += [
        f"  {_offset(at, closed_at):>11}  {what:<{_WHAT_WIDTH}} {how}".rstrip()
        for at, what, how in events
    ]
    if not events:
        lines.append("  nothing is known of it: no tick, no run")
    if runs:
        with_stages = [_with_stages(run, story) for run in runs]
        lines += ["", *_indent(_runs_tables(with_stages, width - 2))]
    for run in runs:
        lines += [f"  run {run['run_id']}: {text}" for text in _troubles(run)]
    lines += _error_lines(story)
    lines += _log_lines(story, colour)
    return lines


def slot_time(closed_at: datetime) -> str:
    """Return a close without its milliseconds: 2026-11-21T17:00:00Z."""
    return show_instant(closed_at).replace(".000Z", "Z")


def plain(row: Document) -> Document:
    """Return a row with its instants as text."""
    return {
        key: show_instant(value) if isinstance(value, datetime) else value
        for key, value in row.items()
    }


def _status(story: Document) -> str:
    states = {run["status"] for run in story["runs"] if run["trader_id"] is None}
    states = states or {run["status"] for run in story["runs"]}
    if not states:
        return "missing" if story["is_missing"] else "no run"
    for state in ("failed", "open", "claimed"):
        if state in states:
            return state
    return "finished" if all(run["complete"] for run in story["runs"]) else "incomplete"


def _slot_status(slot: Document) -> str:
    """Return the status and, only where they are unusual, lateness, attempts and what misses."""
    finished_at = slot["finished_at"]
    took_long = finished_at is not None and finished_at - slot["closed_at"] > _LATE_AFTER
    words = [slot["status"] + (" late" if took_long or slot["origin"] != "live" else "")]
    if slot["attempt"] > 1:
        words.append(f"attempt {slot['attempt']}")
    if slot["missing_count"]:
        words.append(f"{slot['missing_count']:,} missing")
    return ", ".join(words)


def _summary(runs: Sequence[Document]) -> str:
    if not runs:
        return "nobody was owed it, or its tick is still to come"
    traders = sum(run["traders_count"] or 0 for run in runs)
    signals = sum(run["signals_count"] for run in runs)
    feeds = sorted({run["feed"] for run in runs if run["feed"]})
    label = f" · {', '.join(feeds)} data" if feeds else ""
    return f"{_of(len(runs), 'run')} · {_of(traders, 'trader')} · {_of(signals, 'signal')}{label}"


def _events(story: Document, closed_at: datetime) -> Iterable[tuple[datetime, str, str]]:
    """Yield (instant, what, how) of ticks, requests, starts, runs and incidents."""
    for tick in story["ticks"]:
        fired_at = _instant(tick["fired_at"])
        if tick["status"] != "succeeded":
            yield fired_at, f"tick {tick['status']}", one_line(hide_text(tick["error"] or ""))
            continue
        named = f"named {_of(tick['named_count'], 'run')}"
        if tick["named_of_slot_count"]:
            named += f", {tick['named_of_slot_count']} of this slot"
        elif tick["named_count"]:
            named += ", none of this slot"
        yield fired_at, "tick fired", f"made {_of(tick['opened_count'], 'run')}, {named}"
        if tick["error"]:
            yield fired_at, "request not sent", one_line(hide_text(tick["error"]))
        elif tick["request_id"] is not None:
            yield fired_at, f"request {tick['request_id']} sent", _answer(tick)
    for line in story["lines"]:
        fields, at = line["fields"], _instant(line["logged_at"])
        if line["event"] == "slot_started":
            found = "already finished" if fields.get("already_finished") else "runs are started"
            waited = f"waited {fields.get('waited_ms', 0):,.0f} ms for the frame"
            yield at, f"started by {fields.get('by', '?')}", f"{waited}; {found}"
        elif line["event"] == "frame_awaited":
            waited = f"waited {fields.get('waited_ms', 0):,.0f} ms for the frame"
            yield at, "frame did not come", f"{waited}; the next tick takes it up"
    for run in story["runs"]:
        name = f"run {run['run_id']}"
        why = "" if run["origin"] == "live" else "late: more than 90 s after the close"
        yield _instant(run["opened_at"]), f"{name} opened", why
        if run["claimed_at"]:
            by = f"by {run['claimed_by']}, attempt {run['attempt']}"
            yield _instant(run["claimed_at"]), f"{name} claimed", one_line(by)
        if run["finished_at"]:
            counts = (
                f"{_of(run['traders_count'] or 0, 'trader')},"
                f" {_of(run['signals_count'], 'signal')}, frame revision {run['frame_revision']}"
            )
            yield _instant(run["finished_at"]), f"{name} finished", counts
    for incident in story["incidents"]:
        name = f"incident {incident['id']}"
        said = one_line(hide_text(f"{incident['severity']}: {incident['message']}"))
        yield _instant(incident["raised_at"]), f"{name} raised", said
        if incident["closed_at"]:
            by = f"by {incident['closed_by']}"
            yield _instant(incident["closed_at"]), f"{name} closed", one_line(by)


def _answer(tick: Document) -> str:
    if tick["http_error"]:
        return f"no answer: {one_line(hide_text(tick['http_error']))}"
    if tick["http_status"] is None:
        return "no answer yet"
    took = (
        "" if tick["function_ms"] is None else f", the function took {tick['function_ms']:,.0f} ms"
    )
    return f"HTTP {tick['http_status']}{took}"


def _with_stages(run: Document, story: Document) -> Document:
    """Return a run with all its stages: the last is known to its log line only."""
    stats = dict(run["stats"])
    for line in story["lines"]:
        if line["event"] == "run_finished" and line["run_id"] == run["run_id"]:
            stats |= line["fields"].get("stats", {})
    return run | {"stats": stats}


def _runs_tables(runs: Sequence[Document], width: int) -> list[str]:
    """Return what became of each run and its ms by stage: one table, or two in a narrow window."""
    stages = [s for s in _STAGES if any(f"{s}_ms" in run["stats"] for run in runs)]
    named = {key for run in runs for key in run["stats"] if key.endswith("_ms")}
    stages += sorted(key.removesuffix("_ms") for key in named - {f"{s}_ms" for s in stages})
    heads = ("run", "of", "status", "attempt", "traders", "signals")
    rows = [
        (
            str(run["run_id"]),
            f"shard {run['shard'] + 1}/{run['shard_count']}"
            if run["trader_id"] is None
            else f"trader {run['trader_id']}",
            run["status"],
            str(run["attempt"]),
            _count(run["traders_count"]),
            _count(run["signals_count"]),
        )
        for run in runs
    ]
    stage_heads = tuple(f"{stage} ms" for stage in stages)
    stage_rows = [
        tuple(
            f"{run['stats'][f'{stage}_ms']:,.1f}" if f"{stage}_ms" in run["stats"] else "–"
            for stage in stages
        )
        for run in runs
    ]
    both = zip(rows, stage_rows, strict=True)
    whole = _table(heads + stage_heads, [row + times for row, times in both], left=3)
    if not stages or max(map(len, whole)) <= width:
        return whole
    times_of_runs = [(row[0], *times) for row, times in zip(rows, stage_rows, strict=True)]
    return [*_table(heads, rows, left=3), "", *_table(("run", *stage_heads), times_of_runs, left=1)]


def _troubles(run: Document) -> Iterable[str]:
    if run["missing_count"]:
        names = ", ".join(one_line(name) for name in run["missing_instruments"])
        more = ", …" if run["missing_count"] > len(run["missing_instruments"]) else ""
        yield f"{_of(run['missing_count'], 'instrument')} late: {names}{more}"
    if run["error"]:
        yield f"last error: {one_line(hide_text(run['error']))}"


def _error_lines(story: Document) -> list[str]:
    if not story["errors_count"]:
        return []
    lines = ["", f"  {_of(story['errors_count'], 'trader')} failed"]
    for error in story["errors"]:
        text = one_line(hide_text(error["message"]))
        lines.append(f"    trader {error['trader_id']}  {error['code']}: {text}")
    if story["errors_count"] > len(story["errors"]):
        lines.append(f"    … `closebell logs --grep trader_failed --run {_first(story)}` has all")
    return lines


def _log_lines(story: Document, colour: bool) -> list[str]:
    if not story["lines_count"]:
        return ["", "  no log line is about it"]
    hidden = story["lines_count"] - len(story["lines"])
    head = f"  {_of(story['lines_count'], 'log line')}"
    lines = ["", head + (f", the newest {len(story['lines'])}" if hidden else "")]
    for line in story["lines"]:
        row = line | {"logged_at": _instant(line["logged_at"])}
        lines.append(f"    {show_line(row, colour)}")
    return lines


def _first(story: Document) -> int:
    first: int = story["errors"][0]["run_id"]
    return first


def _instant(text: str | datetime) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)


def _offset(at: datetime, closed_at: datetime) -> str:
    seconds = (at - closed_at).total_seconds()
    return f"{seconds:+,.3f} s" if abs(seconds) < 10_000 else f"{seconds / 3600:+,.1f} h"


def _after(at: datetime | None, closed_at: datetime) -> str:
    """Return how long after, in eight characters: thousandths matter below ten seconds only."""
    if at is None:
        return "–"
    seconds = (at - closed_at).total_seconds()
    if 10 <= seconds < 10_000:
        return f"{seconds:+,.{1 if seconds < 1_000 else 0}f} s"
    return _offset(at, closed_at)


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _of(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return aligned lines; the first `left` columns are words, the others numbers."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place < left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (heads, *rows)
    ]
