"""What preview_rule, explain_rule and backtest_rule share: who asks, which rule, on which bars."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request

from functions.edge import USER_BODY_BYTES_MAX, decode, read_body
from functions.function_log import FunctionLog
from functions.longer_windows import LongerWindows
from functions.newest_windows import load_newest_window
from functions.ports import Tokens, Windows
from functions.rate_limit import RateLimiter
from functions.rule_checks import check_reads
from shared.errors import NotFound, StaleData
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Rule, RuleLimits, parse_rule
from shared.runs import Trigger
from shared.store.windows import WINDOW_BARS

RULE_CHARACTERS_MAX = 20_000
UNIVERSE_INSTRUMENTS_MAX = 1_000

Instrument = Annotated[str, StringConstraints(min_length=1, max_length=32)]


class RuleRequest(BaseModel):
    """A rule that is not stored; `closed_at_ms` None is the newest close."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rule: str = Field(min_length=1, max_length=RULE_CHARACTERS_MAX)
    venue: str = Field(default="binance", min_length=1, max_length=32)
    interval: Interval = Field(strict=False)
    universe: list[Instrument] | None = Field(
        default=None, min_length=1, max_length=UNIVERSE_INSTRUMENTS_MAX
    )
    trigger: Trigger = Field(default=Trigger.ENTER, strict=False)
    closed_at_ms: int | None = Field(default=None, ge=0, le=2**63 - 1)


R = TypeVar("R", bound=RuleRequest)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was read, and the bars it is asked about."""

    rule: Rule
    window: Window
    longer: Mapping[Interval, Window]


class RuleReader:
    """Reads such requests; `now_ms` is the wall clock, `monotonic_s` that of the rate limit."""

    def __init__(
        self,
        *,
        windows: Windows,
        tokens: Tokens,
        limiter: RateLimiter,
        log: FunctionLog,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
        limits: RuleLimits = RuleLimits(),  # noqa: B008 (immutable)
    ) -> None:
        self._windows = windows
        self._longer = LongerWindows(windows, log, now_ms)
        self._tokens = tokens
        self._limiter = limiter
        self._now_ms = now_ms
        self._monotonic_s = monotonic_s
        self._limits = limits

    async def read(
        self, request: Request, model: type[R], *, bars: int = WINDOW_BARS
    ) -> tuple[R, Question]:
        """Return the request and what it is about, on so many bars.

        Raises: Unauthorized, TooManyRequests, InvalidRequest, InvalidRule; NotFound if there are
        no klines of the interval, or none of that close any more.
        """
        user_id = await self._tokens.user_id(request.headers.get("authorization", ""))
        self._limiter.take(user_id, self._monotonic_s())
        asked = decode(model, await read_body(request, USER_BODY_BYTES_MAX))
        rule = await asyncio.to_thread(
            parse_rule, asked.rule, self._limits, interval=asked.interval
        )
        window = await self._load(asked, bars)
        longer = await self._longer.load(
            asked.venue, window.closed_at_ms, rule.intervals, wait_ms=0
        )
        check_reads(rule, window, longer)
        return asked, Question(rule=rule, window=window, longer=longer)

    async def _load(self, asked: RuleRequest, bars: int) -> Window:
        venue, interval = asked.venue, asked.interval
        if asked.closed_at_ms is None:
            now_ms = self._now_ms()
            window = await load_newest_window(self._windows, venue, interval, now_ms, bars)
            if window is not None:
                return window
        else:
            open_time_ms = interval.floor_ms(asked.closed_at_ms) - interval.duration_ms
            try:
                return await self._windows.load_window(venue, interval, open_time_ms, bars)
            except StaleData:
                pass
        raise NotFound(
            f"expected {interval} klines of {venue} at this close, there are none",
            hint="the collector keeps the newest 600 closes of each of its INTERVALS",
        )
