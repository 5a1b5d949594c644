"""POST /save_trader: check a trader's rule on real data, store it, and run it once.

The only way by which a rule gets into the database. Who asks is what the verified token says; a
rule that does not parse, or says nothing on any instrument, is refused and nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions.edge import USER_BODY_BYTES_MAX, decode, read_body, reply_json
from functions.function_log import FunctionLog
from functions.longer_windows import LongerWindows
from functions.newest_windows import load_newest_window
from functions.ports import Execute, RunToStart, Tokens, Traders, Windows
from functions.rate_limit import RateLimiter
from functions.save_trader.core import Trial, check_rule, no_data_yet, try_rule
from functions.save_trader.messages import (
    PREVIEW_MATCHES_MAX,
    Preview,
    SaveTraderReply,
    SaveTraderRequest,
)
from shared.errors import ClosebellError
from shared.market.cadence import Cadence
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Rule, RuleLimits
from shared.runs import KEPT_BARS, Trigger, check_cadence
from shared.store.windows import WINDOW_BARS

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
        limits: RuleLimits = RuleLimits(),  # noqa: B008 (immutable)
    ) -> None:
        self._traders = traders
        self._windows = windows
        self._longer = LongerWindows(windows, log, now_ms)
        self._limits = limits
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
        rule = check_rule(asked.rule, asked.interval, self._limits)
        cadence = check_cadence(asked.cadence, asked.interval, asked.trigger, rule.bars_needed)
        asked.cadence = cadence.text
        is_compared = asked.trigger is not Trigger.WHILE
        bars = WINDOW_BARS - 1 + (cadence.before_bars_max(asked.interval) if is_compared else 1)
        window = await load_newest_window(
            self._windows, asked.venue, asked.interval, self._now_ms(), min(bars, KEPT_BARS)
        )
        longer = {}
        if window is not None:
            longer = await self._longer.load(
                asked.venue, window.closed_at_ms, rule.intervals, wait_ms=0
            )
        trial = await asyncio.to_thread(_try, rule, cadence, asked, window, longer)
        trader = None if asked.dry_run else await self._save(user_id, asked)
        if trader is not None and asked.enabled and window is not None:
            await self._run_once(int(trader["id"]), window)
        preview = Preview.model_validate(msgspec.to_builtins(trial))
        return reply_json(SaveTraderReply(trader=trader, preview=preview))

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


def _try(
    rule: Rule,
    cadence: Cadence,
    asked: SaveTraderRequest,
    window: Window | None,
    longer: Mapping[Interval, Window],
) -> Trial:
    if window is None:
        return no_data_yet(asked.venue, asked.interval)
    return try_rule(
        rule,
        asked.universe,
        asked.trigger,
        window,
        longer,
        matches_max=PREVIEW_MATCHES_MAX,
        before_bars=cadence.before_bars(asked.interval, window.closed_at_ms),
    )
