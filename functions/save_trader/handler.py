"""POST /save_trader: check a trader's rule on real data, store it, and run it once.

The only way by which a rule gets into the database. Who asks is what the verified token says; a
rule that does not parse, or says nothing on any instrument, is refused and nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions.edge import USER_BODY_BYTES_MAX, decode, read_body, reply_json
from functions.function_log import FunctionLog
from functions.ports import Execute, RunToStart, Tokens, Traders, Windows
from functions.rate_limit import RateLimiter
from functions.save_trader.core import Trial, check_rule, no_data_yet, try_rule
from functions.save_trader.messages import (
    PREVIEW_MATCHES_MAX,
    Preview,
    SaveTraderReply,
    SaveTraderRequest,
)
from shared.errors import ClosebellError, StaleData
from shared.market.window import Window
from shared.rules import Rule

# The run of the last closed slot is a courtesy: it may end after the reply, or in the next tick.
FIRST_RUN_TIMEOUT_S = 5.0


class SaveTrader:
    """The function; `now_ms` is the wall clock, `monotonic_s` that of the rate limit."""

    def __init__(
        self,
        *,
        traders: Traders,
        windows: Windows,
        execute: Execute,
        tokens: Tokens,
        limiter: RateLimiter,
        log: FunctionLog,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._traders = traders
        self._windows = windows
        self._execute = execute
        self._tokens = tokens
        self._limiter = limiter
        self._log = log
        self._now_ms = now_ms
        self._monotonic_s = monotonic_s

    async def __call__(self, request: Request) -> Response:
        """Return a SaveTraderReply."""
        user_id = await self._tokens.user_id(request.headers.get("authorization", ""))
        self._limiter.take(user_id, self._monotonic_s())
        body = await read_body(request, USER_BODY_BYTES_MAX)
        asked = decode(SaveTraderRequest, body)
        rule = check_rule(asked.rule)
        window = await self._load(asked)
        trial = await asyncio.to_thread(_try, rule, asked, window)
        trader = None if asked.dry_run else await self._save(user_id, asked)
        if trader is not None and asked.enabled and window is not None:
            await self._run_once(int(trader["id"]), window)
        preview = Preview.model_validate(msgspec.to_builtins(trial))
        return reply_json(SaveTraderReply(trader=trader, preview=preview))

    async def _load(self, asked: SaveTraderRequest) -> Window | None:
        """Return the window of the newest closed slot, None if there is no frame at all."""
        step_ms = asked.interval.duration_ms
        expected_ms = asked.interval.floor_ms(self._now_ms()) - step_ms
        # The frame of a slot that has just closed may be on its way, the one before is there; of
        # a venue that is behind (stalled, or played back) the store is asked for the newest.
        for open_time_ms in (expected_ms, expected_ms - step_ms):
            try:
                return await self._windows.load_window(asked.venue, asked.interval, open_time_ms)
            except StaleData:
                continue
        newest_ms = await self._windows.load_newest_open_time(asked.venue, asked.interval)
        if newest_ms is None:
            return None
        try:
            return await self._windows.load_window(asked.venue, asked.interval, newest_ms)
        except StaleData:
            return None

    async def _save(self, user_id: str, asked: SaveTraderRequest) -> dict[str, Any]:
        trader = asked.model_dump(mode="json", exclude={"dry_run"})
        if asked.id is None:
            del trader["id"]
        row = await self._traders.store_trader(user_id, trader)
        self._log.line("info", "trader_saved", trader_id=row["id"], version=row.get("version"))
        return row

    async def _run_once(self, trader_id: int, window: Window) -> None:
        """Run the last closed slot for this trader; the trader is stored whatever comes of it."""
        try:
            async with asyncio.timeout(FIRST_RUN_TIMEOUT_S):
                opened = await self._traders.open_slot(
                    window.venue, window.interval, window.closed_at_ms, trader_id
                )
                for run in opened:
                    if run.status != "finished":
                        await self._execute(
                            RunToStart(
                                run_id=run.run_id,
                                venue=window.venue,
                                interval=window.interval,
                                closed_at_ms=window.closed_at_ms,
                                shard=run.shard,
                            )
                        )
        except (ClosebellError, TimeoutError) as error:
            self._log.line(
                "warning", "first_run_failed", trader_id=trader_id, reason=str(error) or "timeout"
            )


def _try(rule: Rule, asked: SaveTraderRequest, window: Window | None) -> Trial:
    if window is None:
        return no_data_yet(asked.venue, asked.interval)
    return try_rule(rule, asked.universe, asked.trigger, window, matches_max=PREVIEW_MATCHES_MAX)
