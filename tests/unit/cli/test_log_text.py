"""How a line looks: one line, no secret, nothing that speaks to the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli.log_text import document, show_line

LINE: dict[str, Any] = {
    "logged_at": datetime(2026, 11, 21, 17, 0, 0, 412_000, tzinfo=UTC),
    "source": "execute_traders",
    "level": "warn",
    "event": "run_given_back",
    "run_id": 123,
    "trader_id": 5,
    "symbol": "BTCUSDT",
    "fields": {"code": "StaleData", "stats": {"emit_ms": 1.5}, "late": False},
    "part": "lines",
    "line_id": 77,
}


def test_line_shows_time_level_source_run_and_what_is_said() -> None:
    assert show_line(LINE, colour=False) == (
        "2026-11-21T17:00:00.412Z warn  execute_traders    run 123     run_given_back trader=5"
        ' symbol=BTCUSDT code=StaleData stats={"emit_ms": 1.5} late=false'
    )


def test_colours_add_nothing_but_colours() -> None:
    import re

    coloured = show_line(LINE, colour=True)
    assert "\x1b[33mwarn" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == show_line(LINE, colour=False)


def test_line_cannot_break_out_of_its_line_or_speak_to_the_terminal() -> None:
    nasty = LINE | {"event": "a\nb\x1b[2J", "fields": {"k\r": "x\x1b]0;title\x07\ny", "ü": "ü→"}}
    text = show_line(nasty, colour=False)
    assert text.isprintable()
    assert "a\\nb\\x1b[2J" in text and "ü=ü→" in text


def test_secret_that_is_in_the_table_is_not_shown() -> None:
    line = LINE | {"fields": {"url": "https://u:pass-word@h/?token=abc", "api_key": "zzz"}}
    for shown in (show_line(line, colour=False), str(document(line))):
        assert "pass-word" not in shown and "abc" not in shown and "zzz" not in shown


def test_document_names_every_column_and_gives_the_line_a_name() -> None:
    assert document(LINE) == {
        "id": "lines-77",
        "logged_at": "2026-11-21T17:00:00.412Z",
        "source": "execute_traders",
        "level": "warn",
        "event": "run_given_back",
        "run_id": 123,
        "trader_id": 5,
        "symbol": "BTCUSDT",
        "fields": {"code": "StaleData", "stats": {"emit_ms": 1.5}, "late": False},
    }
