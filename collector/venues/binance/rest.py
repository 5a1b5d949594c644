"""Binance's public REST calls: clock, instruments, 24 h volumes, klines.

Edge. Called by the collector's session and backfill. Every call waits for its weight, is timed
out and is retried a bounded number of times; every refusal of the venue has its own message.
Not here: the meaning of a reply (parse.py) and what is asked when (backfill.py, klines.py).

Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api (limits, general
endpoints, market data endpoints) and …/faqs/market_data_only, checked 2026-11-21.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import httpx
import msgspec
import structlog

from collector.rest_gate import RestGate
from collector.venues.binance.messages import ExchangeInfo, RestError, ServerTime, Ticker
from shared.errors import FeedDisconnected, FeedRefused, MalformedMessage
from shared.market.interval import Interval

# The venue's weights and limit; exchangeInfo may state another limit, which then counts.
WEIGHT_LIMIT = 6000
TIME_WEIGHT, EXCHANGE_INFO_WEIGHT, TICKERS_WEIGHT, KLINES_WEIGHT = 1, 20, 80, 2
KLINES_LIMIT_MAX = 1000
# 200 symbols make a URL of about 3 kB.
SYMBOLS_PER_CALL_MAX = 200
# History may use this part of the limit; the rest is for repairs and other users of the address.
HISTORY_SHARE, REPAIR_SHARE = 0.8, 0.95
ATTEMPTS = 4
# The venue itself gives up after 10 s.
TIMEOUT = httpx.Timeout(12.0, connect=5.0)
CONCURRENCY_MAX = 20
# A pause up to this long is waited out; a longer one (a ban) goes to the caller.
WAIT_MAX_S = 90.0
RETRY_AFTER_DEFAULT_S = {429: 30.0, 418: 120.0}
RETRY_AFTER_MAX_S = 3 * 24 * 3600.0

log = structlog.get_logger()
T = TypeVar("T")
RecordReply = Callable[[str, bytes], None]


class BinanceRest:
    """The REST side of one Binance spot host.

    Raises (all calls): FeedRefused (429, 418 with `retry_after_s`; 403; 451; other 4xx with the
    venue's code), FeedDisconnected when there is no answer within the attempts, MalformedMessage.
    """

    def __init__(
        self,
        base_url: str,
        *,
        record: RecordReply | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float],
    ) -> None:
        self.gate = RestGate(WEIGHT_LIMIT)
        self._record = record
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._slots = asyncio.Semaphore(CONCURRENCY_MAX)
        limits = httpx.Limits(
            max_connections=CONCURRENCY_MAX, max_keepalive_connections=CONCURRENCY_MAX
        )
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT, limits=limits)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def load_server_time(self) -> int:
        """Return the venue's clock, ms since the epoch."""
        raw = await self._get("/api/v3/time", {}, TIME_WEIGHT)
        return _decode(raw, ServerTime, "time").server_time

    async def load_exchange_info(self, symbols: Sequence[str] = ()) -> ExchangeInfo:
        """Return these instruments, or all that trade.

        Takes over the request limit that the venue states. A long list is asked for as a whole
        (URLs have a limit), so instruments that were not asked for may come along.
        """
        params = {"showPermissionSets": "false"}
        if not symbols:
            params["symbolStatus"] = "TRADING"
        elif len(symbols) <= SYMBOLS_PER_CALL_MAX:
            params["symbols"] = msgspec.json.encode(list(symbols)).decode()
        raw = await self._get("/api/v3/exchangeInfo", params, EXCHANGE_INFO_WEIGHT)
        info = _decode(raw, ExchangeInfo, "exchangeInfo")
        for limit in info.rate_limits:
            per_minute = limit.interval == "MINUTE" and limit.interval_num == 1
            if limit.rate_limit_type == "REQUEST_WEIGHT" and per_minute:
                self.gate.weight_limit = limit.limit
        return info

    async def load_tickers(self) -> list[Ticker]:
        """Return the 24 h statistics of all instruments."""
        raw = await self._get("/api/v3/ticker/24hr", {"type": "MINI"}, TICKERS_WEIGHT)
        return _decode(raw, list[Ticker], "ticker/24hr")

    async def load_klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        from_ms: int,
        limit: int,
        share: float = HISTORY_SHARE,
    ) -> bytes:
        """Return the raw reply: klines from `from_ms` on, oldest first, at most `limit`.

        No end is given, so the forming kline comes along when there is room: its presence proves
        that a missing earlier one does not exist at the venue.
        """
        params: dict[str, str | int] = {
            "symbol": symbol,
            "interval": str(interval),
            "startTime": from_ms,
            "limit": min(limit, KLINES_LIMIT_MAX),
        }
        return await self._get("/api/v3/klines", params, KLINES_WEIGHT, share)

    async def _get(
        self,
        path: str,
        params: dict[str, str | int] | dict[str, str],
        weight: int,
        share: float = REPAIR_SHARE,
    ) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            await self._wait_for_weight(weight, share)
            failure: FeedRefused | FeedDisconnected
            try:
                async with self._slots:
                    response = await self._http.get(path, params=params)
            except httpx.HTTPError as error:
                failure = FeedDisconnected(
                    f"expected an answer of {self._http.base_url.host}{path}, was "
                    f"{type(error).__name__}: {error}",
                    hint="check the network, and BINANCE_REST_URL",
                )
                failure.__cause__ = error
            else:
                if response.status_code == 200:
                    self._note_used(response)
                    if self._record is not None:
                        self._record(str(response.url), response.content)
                    return response.content
                refusal = self._refusal_of(response)
                if isinstance(refusal, FeedRefused) and response.status_code != 429:
                    raise refusal
                failure = refusal
            log.warning("rest_call_failed", path=path, attempt=attempt, error=str(failure))
            if attempt == ATTEMPTS:
                raise failure
            # Full jitter; after a 429 the gate waits for as long as the venue said.
            await asyncio.sleep(random.uniform(0, min(5.0, 0.25 * 2**attempt)))
        raise AssertionError("the last attempt returns or raises")

    async def _wait_for_weight(self, weight: int, share: float) -> None:
        while True:
            wait_s = self.gate.wait_s(weight, share, self._monotonic_s(), self._wall_s())
            if wait_s <= 0:
                return
            if wait_s > WAIT_MAX_S:
                raise FeedRefused(
                    f"expected to be admitted, was still refused by {self._http.base_url.host} "
                    f"for {wait_s:.0f} s",
                    hint="wait; do not restart in a loop, that makes a ban longer",
                    retry_after_s=wait_s,
                )
            # All waiters wake spread over a second, not at once.
            await asyncio.sleep(wait_s + random.uniform(0, 1.0))

    def _note_used(self, response: httpx.Response) -> None:
        used = response.headers.get("x-mbx-used-weight-1m", "")
        if used.isascii() and used.isdecimal():
            self.gate.note_used(int(used), self._wall_s())

    def _refusal_of(self, response: httpx.Response) -> FeedRefused | FeedDisconnected:
        status = response.status_code
        host = self._http.base_url.host
        if status >= 500:
            return FeedDisconnected(f"expected 200 of {host}, was {status}", status=status)
        if status in RETRY_AFTER_DEFAULT_S:
            retry_after_s = _retry_after_s(response)
            self.gate.pause(retry_after_s, self._monotonic_s())
            return _too_fast(status, host, retry_after_s)
        return _refused(status, host, response.content)


def _retry_after_s(response: httpx.Response) -> float:
    """Return the seconds that the venue told us to wait, within bounds."""
    text = response.headers.get("retry-after", "")
    told = float(text) if text.isascii() and text.isdecimal() else None
    default_s = RETRY_AFTER_DEFAULT_S[response.status_code]
    return min(default_s if told is None else max(told, 1.0), RETRY_AFTER_MAX_S)


def _too_fast(status: int, host: str, retry_after_s: float) -> FeedRefused:
    if status == 429:
        message = f"{host} answered 429: too many requests; silent for {retry_after_s:.0f} s"
        hint = "another program on this address may use up the weight; lower UNIVERSE_SIZE"
    else:
        message = f"{host} answered 418: this address is banned for {retry_after_s:.0f} s"
        hint = "wait; restarting makes a ban longer (2 minutes up to 3 days)"
    return FeedRefused(message, hint=hint, retry_after_s=retry_after_s, status=status)


def _refused(status: int, host: str, body: bytes) -> FeedRefused:
    if status == 451:
        return FeedRefused(
            f"{host} answered 451: not served in this location",
            hint="run the collector in another region, or set BINANCE_REST_URL and "
            "BINANCE_STREAM_URL to the data hosts (data-api.binance.vision, "
            "data-stream.binance.vision)",
            status=status,
            retry_after_s=600.0,
        )
    if status == 403:
        return FeedRefused(
            f"{host} answered 403: its firewall blocked the request",
            hint="wait some minutes; if it stays, this address is blocked: use another one, "
            "or BINANCE_REST_URL=https://data-api.binance.vision",
            status=status,
            retry_after_s=300.0,
        )
    try:
        error = msgspec.json.decode(body, type=RestError)
    except msgspec.DecodeError:
        error = RestError()
    return FeedRefused(
        f"{host} answered {status}: code {error.code} {error.message[:120]}",
        hint="the request is wrong for this venue; see its list of error codes",
        status=status,
        venue_code=error.code,
    )


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"{what}: {error}", kind="wrong_shape") from error
