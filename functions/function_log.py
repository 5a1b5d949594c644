"""Log lines of the functions: all of them on stdout, what an operator asks for also in Postgres.

Warnings, errors and one summary a run are kept in ops.function_logs, in batches and beside the
work: a run never waits for its log. The queue is bounded; a line that finds it full is dropped
and the number of dropped lines is written with the next batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from shared.errors import ClosebellError
from shared.logs import hide_secrets

QUEUE_LINES_MAX = 1_000
BATCH_LINES_MAX = 100
# Lines of one tick arrive together; one write for them all costs a single request.
BATCH_PAUSE_S = 1.0
FIELD_CHARACTERS_MAX = 2_000

# The column's own words.
LEVELS = {"info": "info", "warning": "warn", "error": "error"}

Write = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]

log = structlog.get_logger()


class FunctionLog:
    """Writes log lines; `write` stores a batch, `now_ms` is the clock of `logged_at`."""

    def __init__(
        self,
        write: Write,
        now_ms: Callable[[], int],
        *,
        source: str = "functions",
        pause_s: float = BATCH_PAUSE_S,
    ) -> None:
        self._write = write
        self._now_ms = now_ms
        self._source = source
        self._pause_s = pause_s
        self._queue: deque[dict[str, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self.dropped_count = 0

    @property
    def waiting_count(self) -> int:
        """Return how many lines wait to be stored."""
        return len(self._queue)

    def line(
        self,
        level: str,
        event: str,
        *,
        keep: bool = True,
        exc_info: Exception | None = None,
        **fields: Any,
    ) -> None:
        """Write one line (`level` info, warning or error); `keep` also puts it into Postgres.

        `run_id` and `trader_id` among the fields become columns.
        """
        getattr(log, level)(event, exc_info=exc_info, **fields)
        if not keep:
            return
        if exc_info is not None:
            fields["exception"] = f"{type(exc_info).__name__}: {exc_info}"
        if len(self._queue) >= QUEUE_LINES_MAX:
            self.dropped_count += 1
            return
        self._queue.append(
            {
                "logged_at": datetime.fromtimestamp(self._now_ms() / 1000, UTC).isoformat(),
                "source": self._source,
                "level": LEVELS[level],
                "event": event,
                "run_id": fields.pop("run_id", None),
                "trader_id": fields.pop("trader_id", None),
                "fields": hide_secrets(log, level, {k: _plain(v) for k, v in fields.items()}),
            }
        )
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="function-log")

    async def flush(self) -> None:
        """Wait until the lines so far are stored, or dropped because Postgres does not answer."""
        if self._task is not None:
            await self._task

    async def _drain(self) -> None:
        while self._queue:
            await asyncio.sleep(self._pause_s)
            count = min(len(self._queue), BATCH_LINES_MAX)
            batch = [self._queue.popleft() for _ in range(count)]
            if self.dropped_count:
                batch[0]["fields"]["dropped_lines"] = self.dropped_count
            try:
                await self._write(batch)
            except ClosebellError as error:
                self.dropped_count += len(batch)
                log.warning("function_logs_dropped", lines=len(batch), code=error.code)
            else:
                self.dropped_count = 0


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold, of bounded length."""
    if isinstance(value, str):
        return value[:FIELD_CHARACTERS_MAX]
    return msgspec.to_builtins(value, enc_hook=str)
