"""The venue: whether its REST and its sockets answer from here, and whose clock is wrong.

From here, not from where the collector runs: how the feed itself is doing is in collector.py.
"""

from __future__ import annotations

import time

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from cli.checks.check import Finding, fault, ok, warning
from cli.checks.ground import REQUEST_TIMEOUT_S, Ground, reason_of, shown_host
from shared.errors import FeedDisconnected, FeedRefused

REST_URL = "https://data-api.binance.vision"
STREAM_URL = "wss://data-stream.binance.vision"
# The frame of a close is waited for by FRAME_WAIT_S (3 s): a clock that is off by a second eats of
# it. Postgres refuses a close that is clock_skew_s_max (5 s) ahead of its clock.
AHEAD_MS_WARN, AHEAD_MS_MAX = 1_000.0, 5_000.0
# Of a few requests the quickest tells the time best.
CLOCK_REQUESTS = 3

ADDRESS = "take BINANCE_REST_URL and BINANCE_STREAM_URL out of .env: it is no address of the venue"
ADVICE = {
    451: "set BINANCE_REST_URL=https://data-api.binance.vision and"
    " BINANCE_STREAM_URL=wss://data-stream.binance.vision, or run the collector in another region",
    403: "the venue's firewall blocks this address: wait an hour, or use another address",
    418: "banned for asking too often: stop other programs of this address, and wait as told",
    429: "too many requests from this address: wait a minute; lower UNIVERSE_SIZE if it repeats",
}


async def ask_venue(ground: Ground) -> Finding:
    """Ping the venue's REST API."""
    url = ground.values.get("binance_rest_url", REST_URL).rstrip("/")
    began_s = time.monotonic()
    answer = await ground.request(
        "GET",
        f"{url}/api/v3/ping",
        hint="" if ground.is_here("binance_rest_url") else f"curl -v {url}/api/v3/ping",
    )
    took_ms = (time.monotonic() - began_s) * 1000
    retry_after = answer.headers.get("retry-after", "")
    # A hotel's page, too, answers 200.
    if answer.status_code == 200 and answer.content.strip() != b"{}":
        return fault(f"{shown_host(url)} answered, but not as the venue does", ADDRESS)
    return judge_status(answer.status_code, shown_host(url), took_ms, retry_after)


def judge_status(status: int, host: str, took_ms: float, retry_after: str = "") -> Finding:
    """Judge an HTTP status of the venue; `retry_after` are the seconds it asks for, if any."""
    if status == 200:
        return ok(f"{host} answered in {took_ms:.0f} ms")
    wait = f", wait {retry_after} s" if retry_after else ""
    found = f"{host} answered {status}{wait}"
    if status >= 500:
        return fault(found, "wait: https://www.binance.com/en/support/announcement tells why")
    return fault(found, ADVICE.get(status, ADDRESS))


async def ask_sockets(ground: Ground) -> Finding:
    """Open a socket of the venue and close it."""
    url = ground.values.get("binance_stream_url", STREAM_URL).rstrip("/")
    began_s = time.monotonic()
    try:
        async with connect(
            f"{url}/ws/btcusdt@kline_1m", open_timeout=REQUEST_TIMEOUT_S, close_timeout=0.5
        ):
            took_ms = (time.monotonic() - began_s) * 1000
    except InvalidStatus as error:
        if error.response.status_code == 200:
            return fault(f"{shown_host(url)} answered, but not as the venue does", ADDRESS)
        return judge_status(error.response.status_code, shown_host(url), 0.0)
    except (OSError, TimeoutError, WebSocketException) as error:
        hint = (
            ""
            if ground.is_here("binance_stream_url")
            else f"curl -v {url.replace('ws', 'http', 1)}"
        )
        raise FeedDisconnected(f"{shown_host(url)}: {reason_of(error)}", hint=hint) from error
    return ok(f"{shown_host(url)} opened in {took_ms:.0f} ms")


async def ask_clock(ground: Ground) -> Finding:
    """Compare this machine's clock with the venue's."""
    venue_ahead_ms, error_ms = await _venue_ahead_ms(ground)
    return judge_clock(-venue_ahead_ms, error_ms, "this machine")


async def ask_postgres_clock(ground: Ground) -> Finding:
    """Compare Postgres' clock with the venue's, both against this machine's."""
    venue_ahead_ms, venue_error_ms = await _venue_ahead_ms(ground)
    began_ms = time.time() * 1000
    row = await ground.fetch_one(
        "select extract(epoch from clock_timestamp())::float8 * 1000 as now_ms"
    )
    ended_ms = time.time() * 1000
    ahead_ms = row["now_ms"] - (began_ms + ended_ms) / 2 - venue_ahead_ms
    error_ms = venue_error_ms + (ended_ms - began_ms) / 2
    return judge_clock(ahead_ms, error_ms, "Postgres")


async def _venue_ahead_ms(ground: Ground) -> tuple[float, float]:
    """Return the venue's clock minus this machine's, ±: by the quickest of a few requests.

    Raises: StoreUnavailable; FeedRefused if the venue does not tell its time.
    """
    url = ground.values.get("binance_rest_url", REST_URL).rstrip("/")
    measured = []
    for _ in range(CLOCK_REQUESTS):
        began_ms = time.time() * 1000
        answer = await ground.request("GET", f"{url}/api/v3/time")
        ended_ms = time.time() * 1000
        if answer.status_code != 200:
            finding = judge_status(answer.status_code, shown_host(url), 0.0)
            raise FeedRefused(finding.found, hint=finding.mend)
        try:
            venue_ms = float(answer.json()["serverTime"])
        except (ValueError, KeyError, TypeError) as error:
            raise FeedRefused(f"{shown_host(url)} did not tell its time", hint=ADDRESS) from error
        ahead_ms = venue_ms - (began_ms + ended_ms) / 2
        measured.append(((ended_ms - began_ms) / 2, ahead_ms))
    error_ms, ahead_ms = min(measured)
    return ahead_ms, error_ms


def judge_clock(ahead_ms: float, error_ms: float, whose: str) -> Finding:
    """Judge how far a clock is ahead of the venue's, known to ± `error_ms`."""
    if abs(ahead_ms) < 1:
        found = f"{whose} agrees with the venue (± {error_ms:.0f} ms)"
    else:
        side = "ahead of" if ahead_ms > 0 else "behind"
        found = f"{whose} is {_duration(abs(ahead_ms))} {side} the venue (± {error_ms:.0f} ms)"
    distance_ms = abs(ahead_ms) - error_ms
    if distance_ms >= AHEAD_MS_MAX:
        return fault(found)
    return warning(found) if distance_ms >= AHEAD_MS_WARN else ok(found)


def _duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:,.0f} s"
