"""A log line as a person or a program reads it. Pure; nothing secret leaves here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cli.colours import paint
from cli.instants import show_instant
from shared.hidden import hide_text, hide_value

# The longest name of a function.
_SOURCE_WIDTH = 18
_RUN_WIDTH = 11
_LEVELS = {"debug": "dim", "info": "green", "warn": "yellow", "error": "red"}

Line = Mapping[str, Any]


def document(line: Line) -> dict[str, Any]:
    """Return a line as an object for programs; `id` is never given twice."""
    logged_at: datetime = line["logged_at"]
    return {
        "id": f"{line['part']}-{line['line_id']}",
        "logged_at": show_instant(logged_at),
        "source": line["source"],
        "level": line["level"],
        "event": hide_text(line["event"]),
        "run_id": line["run_id"],
        "trader_id": line["trader_id"],
        "symbol": line["symbol"],
        "fields": hide_value(line["fields"]),
    }


def show_line(line: Line, colour: bool) -> str:
    """Return a line of text: time, level, source, run, event, key=value …

    What --grep is matched with is this text without time, level and run (ops.read_logs).
    """
    level = line["level"]
    run = "" if line["run_id"] is None else f"run {line['run_id']}"
    event = one_line(hide_text(line["event"]))
    words = [
        (f"{key}=", one_line(_text(value)))
        for key, value in (("trader", line["trader_id"]), ("symbol", line["symbol"]))
        if value is not None
    ]
    hidden: dict[str, Any] = hide_value(line["fields"])
    words += [(f"{one_line(key)}=", one_line(_text(value))) for key, value in hidden.items()]
    time, source = show_instant(line["logged_at"]), f"{one_line(line['source']):<{_SOURCE_WIDTH}}"
    rest = "".join(f" {paint(key, 'dim', colour)}{text}" for key, text in words)
    return (
        f"{paint(time, 'dim', colour)} {paint(f'{level:<5}', _LEVELS.get(level, 'dim'), colour)}"
        f" {source} {paint(f'{run:<{_RUN_WIDTH}}', 'dim', colour)}"
        f" {paint(event, 'bold', colour)}{rest}"
    )


def one_line(text: str) -> str:
    """Return a text that stays on its line and says nothing to the terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def _text(value: Any) -> str:
    # As Postgres writes a value of an object (jsonb ->>): what is printed is what is searched.
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
