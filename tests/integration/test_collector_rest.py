"""Binance's REST client against a server that refuses in every way the venue knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from collector.venues.binance.rest import BinanceRest
from shared.errors import FeedDisconnected, FeedRefused, MalformedMessage
from shared.market.interval import Interval

ANSWER = "[]"


class Script:
    """Answers each call with the next of its replies, then with 200."""

    def __init__(self, *replies: web.Response | float) -> None:
        self.replies = list(replies)
        self.calls: list[tuple[float, str]] = []
        self.under_way = self.under_way_max = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append((time.monotonic(), request.path_qs))
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        await asyncio.sleep(0.005)
        self.under_way -= 1
        if self.replies:
            reply = self.replies.pop(0)
            if isinstance(reply, web.Response):
                return reply
            assert request.transport is not None
            request.transport.abort()
        headers = {"X-MBX-USED-WEIGHT-1M": "321"}
        return web.Response(text=ANSWER, headers=headers, content_type="application/json")


@asynccontextmanager
async def running_rest(script: Script) -> AsyncIterator[BinanceRest]:
    app = web.Application()
    app.router.add_get("/{path:.*}", script.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rest = BinanceRest(f"http://127.0.0.1:{runner.addresses[0][1]}", wall_s=time.time)
    try:
        yield rest
    finally:
        await rest.close()
        await runner.cleanup()


async def load(rest: BinanceRest) -> bytes:
    return await rest.load_klines("BTCUSDT", Interval.M1, from_ms=60_000, limit=5000)


async def test_call_names_its_range_and_the_used_weight_is_taken_over() -> None:
    script = Script()
    async with running_rest(script) as rest:
        assert await load(rest) == b"[]"
        assert rest.gate.used_weight >= 321
    query = "symbol=BTCUSDT&interval=1m&startTime=60000&limit=1000"
    assert script.calls[0][1] == f"/api/v3/klines?{query}"


async def test_429_silences_every_call_of_the_host_for_as_long_as_told() -> None:
    script = Script(web.Response(status=429, headers={"Retry-After": "1"}))
    async with running_rest(script) as rest:
        await asyncio.gather(load(rest), load(rest))
        assert rest.gate.refused_count == 1
        before = len(script.calls)
        await load(rest)
    times = [at for at, _ in script.calls]
    # The refused call and its neighbour went out together; all others waited a second.
    assert times[2] - times[0] >= 0.9
    assert before == 3


async def test_418_is_a_ban_and_is_not_tried_again() -> None:
    script = Script(web.Response(status=418, headers={"Retry-After": "300"}))
    async with running_rest(script) as rest:
        with pytest.raises(FeedRefused, match="banned for 300 s") as caught:
            await load(rest)
        assert caught.value.retry_after_s == 300
        # The next call does not even leave: the ban would grow.
        with pytest.raises(FeedRefused, match="still refused"):
            await load(rest)
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    ("status", "body", "message", "hint"),
    [
        (451, "", "not served in this location", "another region"),
        (403, "<html>", "firewall", "another one"),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', "code -1121 Invalid symbol", "error codes"),
        (404, "", "404", "wrong for this venue"),
    ],
)
async def test_refusal_is_explained_and_not_tried_again(
    status: int, body: str, message: str, hint: str
) -> None:
    script = Script(web.Response(status=status, text=body))
    async with running_rest(script) as rest:
        with pytest.raises(FeedRefused, match=message) as caught:
            await load(rest)
    assert hint in caught.value.hint
    assert caught.value.context["status"] == status
    assert len(script.calls) == 1


async def test_broken_connections_and_5xx_are_tried_again() -> None:
    script = Script(web.Response(status=503), 0.0, web.Response(status=500))
    async with running_rest(script) as rest:
        assert await load(rest) == b"[]"
    assert len(script.calls) == 4


async def test_no_answer_within_the_attempts_is_said() -> None:
    script = Script(*[web.Response(status=502) for _ in range(9)])
    async with running_rest(script) as rest:
        with pytest.raises(FeedDisconnected, match="502"):
            await load(rest)
    assert len(script.calls) == 4


async def test_calls_under_way_are_bounded() -> None:
    script = Script()
    async with running_rest(script) as rest:
        await asyncio.gather(*(load(rest) for _ in range(60)))
    assert 1 < script.under_way_max <= 20


async def test_answer_of_another_shape_is_malformed() -> None:
    async with running_rest(Script(web.Response(text='{"serverTime":"soon"}'))) as rest:
        with pytest.raises(MalformedMessage):
            await rest.load_server_time()


async def test_request_limit_is_the_one_the_venue_states() -> None:
    body = (
        '{"serverTime":1,"symbols":[],"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT",'
        '"interval":"MINUTE","intervalNum":1,"limit":1234}]}'
    )
    async with running_rest(Script(web.Response(text=body))) as rest:
        await rest.load_exchange_info()
        assert rest.gate.weight_limit == 1234
