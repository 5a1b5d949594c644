"""Lines on their way to ops.function_logs: bounded, counted, without secrets.

A line that finds the queue full is dropped; the next batch begins with a line that says how many
were. Each line carries a key, so that a batch may be sent again when its answer was lost. Called
by functions/function_log.py and collector/log_sender.py, which decide when a batch is sent.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.hidden import hide_text, hide_value

QUEUE_LINES_MAX = 1_000
BATCH_LINES_MAX = 100
# Lines of one tick arrive together; one write for them all costs a single request. A follower
# shall see a line within a second.
BATCH_PAUSE_S = 0.3
FIELD_CHARACTERS_MAX = 2_000
DROPPED_EVENT = "lines_dropped"
# Two hundred such lines fit into one signed call; a longer line is cut.
LINE_BYTES_MAX = 4_000

# The column's own words.
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warn",
    "error": "error",
    "exception": "error",
    "critical": "error",
}

Line = dict[str, Any]


class LogQueue:
    """Holds at most `lines_max` lines; `add` may be called from any thread."""

    def __init__(self, lines_max: int = QUEUE_LINES_MAX) -> None:
        self._lines: deque[Line] = deque()
        self._lines_max = lines_max
        # What the next batch will report, and all since the start.
        self._unreported = 0
        self.dropped_count = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(
        self, at_ms: float, source: str, level: str, event: str, fields: Mapping[str, Any]
    ) -> None:
        """Queue a line, or count it as dropped.

        `level` is a method of a logger. `run_id`, `trader_id` and `symbol` among the fields become
        columns.
        """
        if len(self._lines) >= self._lines_max:
            self.drop(1)
            return
        self._lines.append(make_line(at_ms, source, level, event, fields))

    def drop(self, lines_count: int) -> None:
        """Count lines that will not be stored."""
        self.dropped_count += lines_count
        self._unreported += lines_count

    def take(self) -> list[Line]:
        """Return the oldest lines, a batch of them at most, and what was dropped before."""
        batch = [self._lines.popleft() for _ in range(min(len(self._lines), BATCH_LINES_MAX))]
        if batch and self._unreported:
            first = batch[0]
            fields = {"dropped_count": self._unreported}
            at_ms = datetime.fromisoformat(first["logged_at"]).timestamp() * 1000
            line = make_line(at_ms, first["source"], "warning", DROPPED_EVENT, fields)
            batch.insert(0, line)
            self._unreported = 0
        return batch

    def put_back(self, batch: Sequence[Line]) -> None:
        """Return a batch that could not be sent to the front of the queue, as far as it fits."""
        lines = list(batch)
        if lines and lines[0]["event"] == DROPPED_EVENT:
            # It is no line of anybody's: its count goes on.
            self._unreported += lines.pop(0)["fields"]["dropped_count"]
        room = max(0, self._lines_max - len(self._lines))
        # The newest of them stay: what came before was also told on stdout.
        kept = lines[len(lines) - min(room, len(lines)) :]
        self.drop(len(lines) - len(kept))
        self._lines.extendleft(reversed(kept))


def make_line(at_ms: float, source: str, level: str, event: str, fields: Mapping[str, Any]) -> Line:
    """Return a line as `write_logs` takes it, of bounded length and without secrets."""
    rest = dict(fields)
    run_id, trader_id = rest.pop("run_id", None), rest.pop("trader_id", None)
    symbol = rest.pop("symbol", None)
    plain = {name: hide_value(_plain(value), name) for name, value in rest.items()}
    return {
        "logged_at": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(),
        "source": source,
        "level": LEVELS[level],
        "event": hide_text(event),
        "run_id": run_id,
        "trader_id": trader_id,
        "symbol": None if symbol is None else str(symbol),
        "line_key": str(uuid.uuid4()),
        "fields": _bounded(plain),
    }


def _bounded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields, or so much of their text as a line may have."""
    text = msgspec.json.encode(fields)
    if len(text) <= LINE_BYTES_MAX:
        return fields
    return {"cut": text[:LINE_BYTES_MAX].decode(errors="replace")}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold, of bounded length."""
    if isinstance(value, str):
        return value[:FIELD_CHARACTERS_MAX]
    return msgspec.to_builtins(value, enc_hook=str)
