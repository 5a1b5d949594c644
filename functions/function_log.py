"""Log lines of the functions: all of them on stdout, what an operator asks for also in Postgres.

Warnings, errors and one summary a run are kept in ops.function_logs, in batches and beside the
work: a run never waits for its log. What is dropped is counted (shared/log_queue.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from shared.errors import ClosebellError
from shared.log_queue import BATCH_PAUSE_S, LogQueue

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
        self._queue = LogQueue()
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped_count(self) -> int:
        """Return how many lines were not stored since the start."""
        return self._queue.dropped_count

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

        Its source is the function whose request is answered. `run_id`, `trader_id` and `symbol`
        among the fields become columns.
        """
        getattr(log, level)(event, exc_info=exc_info, **fields)
        if not keep:
            return
        if exc_info is not None:
            fields["exception"] = f"{type(exc_info).__name__}: {exc_info}"
        self._queue.add(self._now_ms(), self._function(), level, event, fields)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="function-log")

    async def flush(self) -> None:
        """Wait until the lines so far are stored, or dropped because Postgres does not answer."""
        if self._task is not None:
            await self._task

    def _function(self) -> str:
        # Bound by the router while a request is answered.
        name = str(structlog.contextvars.get_contextvars().get("function", ""))
        return self._source if name in ("", "unknown") else name

    async def _drain(self) -> None:
        while len(self._queue):
            await asyncio.sleep(self._pause_s)
            batch = self._queue.take()
            try:
                await self._write(batch)
            except ClosebellError as error:
                self._queue.drop(len(batch))
                log.warning("function_logs_dropped", lines=len(batch), code=error.code)
