"""Starts runs by signed calls of execute_traders, so that the host may use more instances.

Not here: which runs, and in which order (trigger_executions/core.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import msgspec

from functions.function_log import FunctionLog
from functions.ports import RunCall, RunResult
from shared.runs import RunStatus
from shared.signing import signed_headers

# Runs evaluated at the same time by one tick; each holds a connection and a core for a while.
CONCURRENT_MAX = 8
CONNECT_TIMEOUT_S = 2.0
# A little more than execute_traders gives itself (REQUEST_TIMEOUT_S is 25).
REPLY_TIMEOUT_S = 27.0


class _Reply(msgspec.Struct):
    status: RunStatus
    signals_count: int = 0


class Dispatcher:
    """Calls `{functions_url}/execute_traders`, at most CONCURRENT_MAX at a time."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        functions_url: str,
        secret: str,
        log: FunctionLog,
        now_ms: Callable[[], int],
    ) -> None:
        self._http = http
        self._url = f"{functions_url.rstrip('/')}/execute_traders"
        self._secret = secret
        self._log = log
        self._now_ms = now_ms
        self._places = asyncio.Semaphore(CONCURRENT_MAX)
        self._asked_count = 0

    @property
    def waiting_count(self) -> int:
        """Return how many runs wait for one of the CONCURRENT_MAX places."""
        return max(0, self._asked_count - CONCURRENT_MAX)

    async def __call__(self, run: RunCall) -> RunResult:
        """Execute one run; a call that fails is a result too, and the run stays for later."""
        self._asked_count += 1
        try:
            return await self._call(run)
        finally:
            self._asked_count -= 1

    async def _call(self, run: RunCall) -> RunResult:
        slot = {
            "venue": run.venue,
            "interval": str(run.interval),
            "closed_at_ms": run.closed_at_ms,
            "shard": run.shard,
        }
        body = msgspec.json.encode({"run_id": run.run_id, "slot": slot})
        async with self._places:
            headers = signed_headers(self._secret, self._now_ms() // 1000, body)
            try:
                response = await self._http.post(
                    self._url,
                    content=body,
                    headers=headers,
                    timeout=httpx.Timeout(REPLY_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                )
                response.raise_for_status()
                reply = msgspec.json.decode(response.content, type=_Reply)
            except httpx.HTTPStatusError as error:
                return self._failed(run, f"status {error.response.status_code}")
            except (httpx.HTTPError, msgspec.DecodeError) as error:
                return self._failed(run, f"{type(error).__name__}: {error}")
        return RunResult(run_id=run.run_id, status=reply.status, signals_count=reply.signals_count)

    def _failed(self, run: RunCall, reason: str) -> RunResult:
        self._log.line("warning", "run_dispatch_failed", run_id=run.run_id, reason=reason)
        return RunResult(run_id=run.run_id, status=RunStatus.FAILED)
