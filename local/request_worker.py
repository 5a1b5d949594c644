"""The worker of pg_net 0.20.4, beside Postgres instead of in it.

Takes up to 200 requests, sends them at once, and stores all answers in the transaction that took
them, when the slowest has ended: one slow answer delays everybody's, as with the original. Then
it pauses for a second; the first new request ends that pause, later ones wait for its end.
A request whose transaction breaks (a restart of Postgres or of this process) is sent again.
Tables, functions and the wake-up are in local/sql/30_net.sql.
Source: https://github.com/supabase/pg_net, src/worker.c of 0.20.4 (checked 2026-11-21).

Environment: LISTEN_PORT, POSTGRES_DSN (a superuser's).
GET /health answers 200 while the worker listens, with the number of requests sent.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from aiohttp import web
from psycopg.types.json import Jsonb
from pycurl import AsyncCurlMulti

from local.http_request import QueuedRequest, StoredResponse, Transfer
from local.standin import keep_running, read_setting, run_standin

BATCH_SIZE = 200
RESPONSE_TIME_TO_LIVE = timedelta(hours=6)
PAUSE_S = 1.0
# The original waits for ever; this only bounds a wait, nothing happens at its end.
WAKE_WAIT_S = 60.0
CONNECT_TIMEOUT_S = 5
RECONNECT_DELAY_S_MAX = 2.0

log = structlog.get_logger()
Connection = psycopg.AsyncConnection[tuple[Any, ...]]


async def send_requests(requests: Sequence[QueuedRequest]) -> list[StoredResponse]:
    """Send all requests at once; return their outcomes when the last one has ended."""
    transfers = [Transfer(request) for request in requests]
    async with AsyncCurlMulti() as multi:
        outcomes = await asyncio.gather(
            *(multi.perform(transfer.curl) for transfer in transfers), return_exceptions=True
        )
        responses = [
            transfer.response(outcome if isinstance(outcome, BaseException) else None)
            for transfer, outcome in zip(transfers, outcomes, strict=True)
        ]
    for transfer in transfers:
        transfer.close()
    return responses


class RequestWorker:
    """The loop over one listening and one working connection."""

    def __init__(self, dsn: str, pause_s: float = PAUSE_S) -> None:
        self._dsn = dsn
        self._pause_s = pause_s
        self.is_listening = False
        self.is_asleep = False
        """Nothing is left and no pause runs: the next request goes at once."""
        self.sent_count = 0

    async def run(self) -> None:
        """Work until cancelled; connect again, with a growing pause, whenever Postgres is gone."""
        failures = 0
        while True:
            try:
                async with (
                    await self._connect("closebell-request-wake") as listening,
                    await self._connect("closebell-request-worker") as working,
                ):
                    await listening.execute("listen net_wake")
                    self.is_listening, failures = True, 0
                    log.info("requests_listened")
                    await self._work(listening, working)
            except psycopg.Error as error:
                log.warning("postgres_failed", error=str(error).strip())
            finally:
                self.is_listening = False
            failures += 1
            delay_s = min(RECONNECT_DELAY_S_MAX, 0.1 * 2**failures)
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))

    async def _connect(self, name: str) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name=name,
            connect_timeout=CONNECT_TIMEOUT_S,
        )

    async def _work(self, listening: Connection, working: Connection) -> None:
        # What was queued while nobody listened is work too.
        woken = True
        while True:
            if woken:
                woken = await self._drain(listening, working)
            else:
                self.is_asleep = True
                woken = await wait_for_wake(listening, WAKE_WAIT_S)
                self.is_asleep = False

    async def _drain(self, listening: Connection, working: Connection) -> bool:
        """Run batches until nothing is left; return whether a wake-up came meanwhile."""
        woken = False
        while True:
            taken_count, expired_count = await self._run_batch(working)
            if woken:
                await asyncio.sleep(self._pause_s)
            else:
                woken = await wait_for_wake(listening, self._pause_s)
            if not taken_count and not expired_count:
                return woken

    async def _run_batch(self, working: Connection) -> tuple[int, int]:
        """Take, send and store one batch in one transaction; return the requests and expiries."""
        async with working.transaction(), working.cursor() as cursor:
            await cursor.execute(
                "select net._delete_expired_responses(%s, %s)", (RESPONSE_TIME_TO_LIVE, BATCH_SIZE)
            )
            expired = await cursor.fetchone()
            await cursor.execute(
                "select id, method, url, timeout_milliseconds, headers, body"
                " from net._take_requests(%s)",
                (BATCH_SIZE,),
            )
            requests = [as_request(row) for row in await cursor.fetchall()]
            if requests:
                responses = await send_requests(requests)
                self.sent_count += len(requests)
                await cursor.executemany(
                    "select net._store_response(%s, %s, %s, %s, %s, %s, %s)",
                    [as_row(response) for response in responses],
                )
                log.info(
                    "requests_sent",
                    count=len(requests),
                    failed=sum(response.error_msg is not None for response in responses),
                )
        return len(requests), int(expired[0]) if expired else 0


async def wait_for_wake(listening: Connection, timeout_s: float) -> bool:
    """Return whether a wake-up came (or lay waiting) within the time."""
    woken = False
    async for _ in listening.notifies(timeout=timeout_s, stop_after=1):
        woken = True
    return woken


def as_request(row: tuple[Any, ...]) -> QueuedRequest:
    """Return a queue row as what is sent."""
    request_id, method, url, timeout_ms, headers, body = row
    return QueuedRequest(
        id=request_id,
        method=method,
        url=url,
        timeout_ms=timeout_ms,
        headers=tuple(headers or ()),
        body=body,
    )


def as_row(response: StoredResponse) -> tuple[object, ...]:
    """Return the arguments of net._store_response."""
    return (
        response.id,
        response.status_code,
        response.content_type,
        None if response.headers is None else Jsonb(response.headers),
        response.content,
        response.timed_out,
        response.error_msg,
    )


def build_app() -> web.Application:
    """Wire the worker and its health answer from the environment.

    Raises: ConfigError.
    """
    worker = RequestWorker(read_setting("POSTGRES_DSN"))

    async def serve_health(_request: web.Request) -> web.Response:
        status = "ok" if worker.is_listening else "unavailable"
        return web.json_response(
            {
                "status": status,
                "is_asleep": worker.is_asleep,
                "sent_count": worker.sent_count,
            },
            status=200 if worker.is_listening else 503,
        )

    app = web.Application()
    keep_running(app, "request-worker", worker.run)
    app.router.add_get("/health", serve_health)
    return app


if __name__ == "__main__":
    run_standin("request-worker", build_app)
