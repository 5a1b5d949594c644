"""The REST endpoints under `/api/v3`: time, ping, exchangeInfo, ticker/24hr, klines.

Wire: https://developers.binance.com/docs/binance-spot-api-docs/rest-api, checked 2026-11-21.
Weights are the venue's own; the budget is per minute of real time and shared by all clients.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.venue.listing import exchange_info
from local.venue.sockets import VENUE
from local.venue.venue import Venue
from local.venue.warm import Warming
from local.venue.wire import error_json
from shared.market.interval import Interval

_LIMIT_DEFAULT, _LIMIT_MAX = 500, 1_000
_FULL_ONLY_FIELDS = ("priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice")
WARMING = web.AppKey("warming", Warming)
# How long a request for bars that are being computed may wait.
_WARM_WAIT_S = 50.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Weights:
    """The request weight used in the present minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minute = 0
        self.used = 0

    def take(self, weight: int, now_s: float) -> int:
        """Count a request; return the seconds to wait if the budget is spent, else 0."""
        minute = int(now_s // 60)
        if minute != self._minute:
            self._minute, self.used = minute, 0
        self.used += weight
        return 0 if self.used <= self._per_minute else max(60 - int(now_s % 60), 1)


WEIGHTS = web.AppKey("weights", Weights)


def add_rest_routes(app: web.Application) -> None:
    """Serve `/api/v3`."""
    app.router.add_get("/api/v3/ping", _answering(1, _ping))
    app.router.add_get("/api/v3/time", _answering(1, _time))
    app.router.add_get("/api/v3/exchangeInfo", _answering(20, _exchange_info))
    app.router.add_get("/api/v3/ticker/24hr", _answering(80, _tickers))
    app.router.add_get("/api/v3/klines", _answering(2, _klines))


def _answering(weight: int, answer: Callable[[web.Request], Awaitable[str]]) -> Handler:
    """Return a handler that meets faults, counts weight, and wraps the answer's JSON text."""

    async def handle(request: web.Request) -> web.StreamResponse:
        venue = request.app[VENUE]
        venue.counts["requests"] += 1
        fault = venue.faults.http_fault(request.path, venue.monotonic_s())
        if fault is not None:
            return _refusal(fault.status, fault.retry_after_s)
        weights = request.app[WEIGHTS]
        wait_s = weights.take(weight, venue.monotonic_s())
        if wait_s:
            return _refusal(429, wait_s)
        used = str(weights.used)
        headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        try:
            text = await answer(request)
        except _BadRequest as error:
            return _json(error.body, 400, headers)
        return _json(text, 200, headers)

    return handle


class _BadRequest(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = error_json(code, message)


async def _ping(request: web.Request) -> str:
    return "{}"


async def _time(request: web.Request) -> str:
    return f'{{"serverTime":{request.app[VENUE].announced_ms()}}}'


async def _exchange_info(request: web.Request) -> str:
    venue = request.app[VENUE]
    chosen = [venue.market.instruments[index] for index in _chosen(venue, request)]
    info = exchange_info(chosen, venue.announced_ms(), venue.options.weight_per_minute)
    return json.dumps(info, separators=(",", ":"))


async def _tickers(request: web.Request) -> str:
    venue = request.app[VENUE]
    await _warmed(request, venue.clock.now_ms() - Interval.D1.duration_ms)
    now_ms = venue.clock.now_ms()
    chosen = _chosen(venue, request)
    columns = venue.market.day_rows(now_ms)
    tickers = venue.texts.tickers(chosen, columns, venue.announced_ms())
    kind = request.query.get("type", "FULL")
    if kind not in ("FULL", "MINI"):
        raise _BadRequest(-1100, "Illegal characters found in parameter 'type'.")
    named = [
        {"symbol": venue.symbols[index]}
        | {name: ticker[name] for name in ticker if kind == "FULL" or name not in _FULL_ONLY_FIELDS}
        for index, ticker in zip(chosen, tickers, strict=True)
    ]
    one = "symbol" in request.query
    return json.dumps(named[0] if one else named, separators=(",", ":"))


async def _klines(request: web.Request) -> str:
    venue = request.app[VENUE]
    query = request.query
    index = _index(venue, query.get("symbol"))
    try:
        interval = Interval(query.get("interval", ""))
    except ValueError:
        raise _BadRequest(-1120, "Invalid interval.") from None
    limit = _number(query.get("limit"), "limit", _LIMIT_DEFAULT)
    if limit < 1:
        raise _BadRequest(-1130, "Data sent for parameter 'limit' is not valid.")
    limit = min(limit, _LIMIT_MAX)
    now_ms = venue.clock.now_ms()
    last_ms = min(_number(query.get("endTime"), "endTime", now_ms), now_ms)
    if "startTime" in query:
        first_ms = _number(query["startTime"], "startTime", 0)
        # The first kline is the one in which it was listed.
        listed_at_ms = venue.market.instruments[index].listed_at_ms
        first_ms = max(first_ms, interval.floor_ms(listed_at_ms))
        first_ms = max(first_ms, venue.market.history_from_ms)
        aligned_ms = interval.floor_ms(first_ms + interval.duration_ms - 1)
        last_ms = min(last_ms, aligned_ms + (limit - 1) * interval.duration_ms)
    else:
        first_ms = interval.floor_ms(last_ms) - (limit - 1) * interval.duration_ms
    await _warmed(request, first_ms)
    rows = venue.market.rows(index, interval, first_ms, last_ms, now_ms)
    return venue.texts.rows_json(index, rows, interval.duration_ms)


async def _warmed(request: web.Request, first_ms: int) -> None:
    """Wait until history is computed back to `first_ms` (only in the first seconds of a market)."""
    async with asyncio.timeout(_WARM_WAIT_S):
        await request.app[WARMING].reached(first_ms)


def _chosen(venue: Venue, request: web.Request) -> list[int]:
    """Return the indexes that `symbol` or `symbols` name; all without either."""
    if "symbol" in request.query:
        return [_index(venue, request.query["symbol"])]
    if "symbols" not in request.query:
        return list(range(len(venue.symbols)))
    try:
        names = json.loads(request.query["symbols"])
    except ValueError:
        names = None
    if not isinstance(names, list):
        raise _BadRequest(-1100, "Illegal characters found in parameter 'symbols'.")
    return [_index(venue, name) for name in names]


def _index(venue: Venue, symbol: object) -> int:
    if symbol is None:
        raise _BadRequest(-1102, "Mandatory parameter 'symbol' was not sent.")
    index = venue.index_of.get(str(symbol))
    if index is None:
        raise _BadRequest(-1121, "Invalid symbol.")
    return index


def _number(text: str | None, name: str, default: int) -> int:
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise _BadRequest(-1100, f"Illegal characters found in parameter '{name}'.") from None


def _json(text: str, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def _refusal(status: int, retry_after_s: int | None) -> web.Response:
    """Return the venue's refusal: 429 and 418 say when to come back, 451 and 403 do not."""
    if status == 451:
        message = "Service unavailable from a restricted location according to 'b. Eligibility'."
        return _json(error_json(0, message), 451, {})
    if status == 403:
        return web.Response(text="<html><body>Request blocked.</body></html>", status=403)
    headers = {}
    if status in (429, 418):
        headers["Retry-After"] = str(1 if retry_after_s is None else retry_after_s)
    code = -1003 if status in (429, 418) else -1000
    return _json(error_json(code, "Too much request weight used."), status, headers)
