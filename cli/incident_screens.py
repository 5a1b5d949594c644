"""How incidents look in a terminal: two lines for each, or all that is known of one. Pure.

Marks and words beside every colour. Plain lines, not a table: a message is a sentence, and the
first of them shall be there at once. Not here: asking Postgres, printing (incidents).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import typer

from cli.instants import ago, duration

Row = Mapping[str, Any]

_MARKS = {"error": ("✗", typer.colors.RED), "warn": ("!", typer.colors.YELLOW)}
_CLOSED = ("✓", typer.colors.GREEN)
_LABEL_WIDTH = 12
# The schedule looks each minute; past this somebody should know that it does not.
_WATCH_LATE = timedelta(seconds=90)


def list_lines(
    rows: Sequence[Row], state: Row, width: int, *, with_closed: bool, has_more: bool
) -> list[str]:
    """Return the incidents, or that there are none, and how fresh that is.

    `state` has watched_at, late_since and now, the clock of the database.
    """
    now: datetime = state["now"]
    lines: list[str] = []
    for row in rows:
        lines += [_head(row, now), *_wrapped(row["message"], width, 5)]
    if not rows:
        word = "was ever raised" if with_closed else "is open"
        lines.append(f"{typer.style('✓', fg=typer.colors.GREEN)} no incident {word}")
    if has_more:
        lines.append(f"There are more than these {len(rows)}; -n shows them.")
    if not all(row["closed_at"] for row in rows):
        lines.append(_dim("What to do: docs/runbook.md, one section a kind."))
    looked = f"looked {_ago(state['watched_at'], now)}"
    if state["late_since"] is not None or now - state["watched_at"] > _WATCH_LATE:
        mark = typer.style("!", fg=typer.colors.YELLOW)
        lines.append(f"{mark} {looked}; pg_cron does not run the schedule watch")
    else:
        lines.append(_dim(looked))
    return lines


def one_lines(row: Row, now: datetime, width: int) -> list[str]:
    """Return everything that is known of one incident."""
    facts = [
        ("raised", _when(row["raised_at"], now)),
        ("last seen", _when(row["last_seen_at"], now)),
    ]
    if row["acknowledged_at"]:
        taken = f"{row['acknowledged_by']}, {_when(row['acknowledged_at'], now)}"
        facts.append(("in hands of", taken))
    elif not row["closed_at"]:
        facts.append(("in hands of", f"nobody; closebell incidents ack {row['id']}"))
    if row["closed_at"]:
        facts.append(("closed", f"by {_closer(row)}, {_when(row['closed_at'], now)}"))
    notes = row["note"].splitlines()
    facts += [("" if place else "notes", note) for place, note in enumerate(notes)]
    figures = _figures(row["details"])
    facts += [("" if place else "details", figure) for place, figure in enumerate(figures)]
    facts.append(("what to do", f"docs/runbook.md, section {row['kind']}"))
    lines = [_head(row, now), *textwrap.wrap(row["message"], width), ""]
    for label, text in facts:
        first, *rest = _wrapped(text, width, _LABEL_WIDTH) or [""]
        lines += [_dim(f"{label:<{_LABEL_WIDTH}}") + first.lstrip(), *rest]
    return lines


def _head(row: Row, now: datetime) -> str:
    mark, colour = _CLOSED if row["closed_at"] else _MARKS[row["severity"]]
    parts = [f"{row['kind']} · {row['subject']}"]
    if row["closed_at"]:
        parts.append(f"for {_length(row['closed_at'] - row['raised_at'])}")
        parts.append(f"closed by {_closer(row)} {_ago(row['closed_at'], now)}")
    else:
        parts.append(f"{row['severity']} for {_length(now - row['raised_at'])}")
        parts.append(f"in hands of {row['acknowledged_by'] or 'nobody'}")
    return f"{typer.style(mark, fg=colour)} {row['id']:<3}{' · '.join(parts)}"


def _closer(row: Row) -> str:
    return "itself" if row["closed_by"] == "watch" else str(row["closed_by"])


def _figures(details: Mapping[str, Any]) -> list[str]:
    """Return the figures, a line each; an element of a list is one, too."""
    lines = []
    for name, value in details.items():
        if isinstance(value, list):
            lines += [f"{name}: {_plain(element)}" for element in value]
        else:
            lines.append(f"{name}: {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)
    return "–" if value is None else str(value)


def _when(at: datetime, now: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({_ago(at, now)})"


def _ago(at: datetime, now: datetime) -> str:
    # The clock of the database: what it wrote a moment ago is not ahead of it.
    return ago(max(0.0, (now - at).total_seconds()))


def _length(span: timedelta) -> str:
    return duration(span.total_seconds())


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    blank = " " * indent
    return textwrap.wrap(text, width, initial_indent=blank, subsequent_indent=blank)


def _dim(text: str) -> str:
    return typer.style(text, dim=True)
