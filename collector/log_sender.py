"""The collector's log lines on their way to the operator: signed batches to `write_logs`.

Edge. It has no way into Postgres, and its own port cannot be reached from everywhere
(docs/decisions/0011-collector-lines.md). Lines wait in a bounded queue while nobody answers; a
batch is sent until it is stored, ever more slowly, and a lasting storm of lines costs six calls a
minute. Never holds up the feed; every line is on stdout in any case.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
import structlog

from shared.log_queue import BATCH_PAUSE_S, LogQueue
from shared.signing import signed_headers

TIMEOUT = httpx.Timeout(10.0)
# Between batches: the first after a quiet time goes at once, the next ones ever more slowly.
PAUSE_MAX_S = 10.0
FIRST_PAUSE_S = BATCH_PAUSE_S
# What the renderer adds for stdout; in the table they are columns.
_COLUMNS = ("event", "level", "source", "at")

log = structlog.get_logger()


class LogSender:
    """Sends `POST {functions_url}/write_logs`. `counts`: sent and dropped lines, failed calls."""

    def __init__(
        self,
        functions_url: str,
        secret: str,
        now_s: Callable[[], float],
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{functions_url.rstrip('/')}/write_logs"
        self._secret = secret
        self._now_s = now_s
        self._first_pause_s = first_pause_s
        self._http = httpx.AsyncClient(timeout=TIMEOUT, transport=transport)
        self._queue = LogQueue()
        self._counts: Counter[str] = Counter()
        self._is_failing = False

    @property
    def counts(self) -> dict[str, int]:
        """Return lines sent and dropped, lines waiting, and calls that failed, since the start."""
        return {
            "sent": self._counts["sent"],
            "dropped": self._queue.dropped_count,
            "waiting": len(self._queue),
            "failed_calls": self._counts["failed_calls"],
        }

    def keep(self, line: Mapping[str, Any]) -> None:
        """Queue a line as it was written to stdout; called by the logger, from any thread."""
        fields = {name: value for name, value in line.items() if name not in _COLUMNS}
        self._queue.add(
            self._now_s() * 1000, "collector", str(line["level"]), str(line["event"]), fields
        )

    async def run(self) -> None:
        """Send what is queued, for ever."""
        pause_s = self._first_pause_s
        while True:
            await asyncio.sleep(pause_s)
            if not len(self._queue):
                pause_s = max(self._first_pause_s, pause_s / 2)
                continue
            await self.send()
            pause_s = min(PAUSE_MAX_S, pause_s * 2)

    async def send(self) -> bool:
        """Send one batch; return whether it was stored. What was not goes back into the queue."""
        batch = self._queue.take()
        body = msgspec.json.encode({"lines": batch})
        headers = signed_headers(self._secret, int(self._now_s()), body)
        try:
            response = await self._http.post(self._url, content=body, headers=headers)
            response.raise_for_status()
        except httpx.HTTPError as error:
            self._counts["failed_calls"] += 1
            refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 400
            if refused:
                # The same batch would be refused again.
                self._queue.drop(len(batch))
            else:
                self._queue.put_back(batch)
            if not self._is_failing or refused:
                log.warning("log_batch_failed", error=f"{type(error).__name__}: {error}")
            self._is_failing = True
            return False
        except asyncio.CancelledError:
            self._queue.put_back(batch)
            raise
        self._counts["sent"] += len(batch)
        self._is_failing = False
        return True

    async def flush(self) -> None:
        """Send what is queued, until something fails."""
        while len(self._queue) and await self.send():
            pass

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
