"""Each fault of the simulated venue, observed by a raw client through its effect on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from local.venue.clock import SteppedClock
from local.venue.market import SimulatedMarket
from local.venue.server import running_venue
from shared.market.interval import MINUTE_MS

START_MS = 1_795_231_062_512
FIRST_MS = START_MS - START_MS % MINUTE_MS
PATH = "/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m"
DEADLINE_S = 60.0
# Longer than anything loopback needs: nothing came.
QUIET_S = 0.2

Seen = tuple[str, int, bool]


class Bench:
    """A stepped venue, a client, and a socket on BTCUSDT and ETHUSDT."""

    def __init__(
        self,
        url: str,
        socket_url: str,
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse,
    ) -> None:
        self.url = url
        self.socket_url = socket_url
        self.session = session
        self.socket = socket

    async def fault(self, expected: int = 200, **body: object) -> Any:
        async with self.session.post(f"{self.url}/control/fault", json=body) as response:
            assert response.status == expected, await response.text()
            return await response.json()

    async def step(self, minutes: int = 1) -> None:
        body = {"minutes": minutes}
        async with self.session.post(f"{self.url}/control/step", json=body) as response:
            assert response.status == 200

    async def get(self, path: str) -> tuple[int, Any, str | None]:
        async with self.session.get(self.url + path) as response:
            text = await response.text()
            body = json.loads(text) if response.content_type == "application/json" else text
            return response.status, body, response.headers.get("Retry-After")

    async def see(self, count: int) -> list[Seen]:
        """Receive klines: symbol, minute after the start, closed."""
        result: list[Seen] = []
        for _ in range(count):
            message = await self.socket.receive(timeout=DEADLINE_S)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            k = json.loads(message.data)["data"]["k"]
            result.append((k["s"], (k["t"] - FIRST_MS) // MINUTE_MS, k["x"]))
        return result

    async def assert_quiet(self) -> None:
        with pytest.raises(TimeoutError):
            await self.socket.receive(timeout=QUIET_S)

    async def struck(self, kind: str) -> int:
        _, state, _ = await self.get("/control/state")
        count: int = state["faults_struck"].get(kind, 0)
        return count


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with open_bench() as opened:
        yield opened


@asynccontextmanager
async def open_bench() -> AsyncIterator[Bench]:
    market = SimulatedMarket(5, 4, anchor_ms=START_MS, history_days=1)
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with (
        running_venue(market, SteppedClock(START_MS)) as running,
        aiohttp.ClientSession(timeout=timeout) as session,
        session.ws_connect(running.socket_url + PATH) as socket,
    ):
        yield Bench(running.url, running.socket_url, session, socket)


async def test_without_faults_each_minute_closes_once(bench: Bench) -> None:
    await bench.step(2)
    assert await bench.see(4) == [
        ("BTCUSDT", 0, True),
        ("ETHUSDT", 0, True),
        ("BTCUSDT", 1, True),
        ("ETHUSDT", 1, True),
    ]
    await bench.assert_quiet()


async def test_missing_close_is_never_sent_and_rest_has_it(bench: Bench) -> None:
    await bench.fault(kind="missing", symbols=["BTCUSDT"])
    await bench.step(2)
    assert await bench.see(3) == [
        ("ETHUSDT", 0, True),
        ("BTCUSDT", 1, True),
        ("ETHUSDT", 1, True),
    ]
    path = f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={FIRST_MS}&limit=1"
    status, rows, _ = await bench.get(path)
    assert (status, rows[0][0]) == (200, FIRST_MS)
    assert await bench.struck("missing") == 4 - 3


async def test_duplicate_close_comes_twice(bench: Bench) -> None:
    await bench.fault(kind="duplicate", symbols=["ETHUSDT"], delay_ms=0)
    await bench.step()
    assert await bench.see(3) == [
        ("BTCUSDT", 0, True),
        ("ETHUSDT", 0, True),
        ("ETHUSDT", 0, True),
    ]


async def test_late_close_comes_with_a_later_minute(bench: Bench) -> None:
    await bench.fault(kind="late", symbols=["BTCUSDT"], delay_ms=0, delay_minutes=1)
    await bench.step()
    assert await bench.see(1) == [("ETHUSDT", 0, True)]
    await bench.assert_quiet()
    await bench.step()
    assert sorted(await bench.see(3)) == [
        ("BTCUSDT", 0, True),
        ("BTCUSDT", 1, True),
        ("ETHUSDT", 1, True),
    ]


async def test_late_close_comes_after_its_delay(bench: Bench) -> None:
    await bench.fault(kind="late", symbols=["BTCUSDT"], delay_ms=50)
    await bench.step()
    assert await bench.see(2) == [("ETHUSDT", 0, True), ("BTCUSDT", 0, True)]


async def test_reordered_close_comes_after_the_next_minute_has_begun(bench: Bench) -> None:
    await bench.fault(kind="reordered")
    await bench.step()
    seen = await bench.see(4)
    assert [one for one in seen if one[2]] == [("ETHUSDT", 0, True), ("BTCUSDT", 0, True)]
    assert seen.index(("BTCUSDT", 1, False)) < seen.index(("BTCUSDT", 0, True))


async def test_silence_keeps_the_socket_open_and_sends_nothing(bench: Bench) -> None:
    await bench.fault(kind="silence", duration_s=60)
    await bench.step()
    await bench.assert_quiet()
    await bench.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    answer = await bench.socket.receive(timeout=DEADLINE_S)
    assert json.loads(answer.data)["id"] == 1
    async with bench.session.delete(f"{bench.url}/control/fault"):
        pass
    await bench.step()
    assert await bench.see(2) == [("BTCUSDT", 1, True), ("ETHUSDT", 1, True)]


async def test_silence_of_one_symbol_leaves_the_others(bench: Bench) -> None:
    await bench.fault(kind="silence", symbols=["BTCUSDT"])
    await bench.step()
    assert await bench.see(1) == [("ETHUSDT", 0, True)]
    await bench.assert_quiet()


async def test_disconnect_breaks_the_line_or_closes_with_a_code() -> None:
    async with open_bench() as bench:
        await bench.fault(kind="disconnect")
        assert (await bench.socket.receive(timeout=DEADLINE_S)).type is aiohttp.WSMsgType.CLOSED
        # No close frame came: 1006 is what a client reports then.
        assert bench.socket.close_code == 1006
    async with open_bench() as bench:
        await bench.fault(kind="disconnect", code=1012)
        closing = await bench.socket.receive(timeout=DEADLINE_S)
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1012)


async def test_disconnect_with_a_duration_refuses_new_sockets(bench: Bench) -> None:
    await bench.fault(kind="disconnect", duration_s=60)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bench.session.ws_connect(bench.socket_url + PATH)
    assert refused.value.status == 503


async def test_malformed_frames_come_in_every_variant(bench: Bench) -> None:
    await bench.fault(kind="malformed", symbols=["BTCUSDT"], count=7)
    frames = [await bench.socket.receive(timeout=DEADLINE_S) for _ in range(7)]
    texts = [str(one.data) for one in frames]
    assert texts[0].endswith(",}")
    assert json.loads(texts[1])["data"]["k"]["c"] == {"price": []}
    assert json.loads(texts[2])["data"]["e"] == "mystery"
    with pytest.raises(json.JSONDecodeError):
        json.loads(texts[3])
    assert "c" not in json.loads(texts[4])["data"]["k"]
    assert frames[5].type is aiohttp.WSMsgType.BINARY
    assert frames[6].data == ""
    # The stream goes on.
    await bench.step()
    assert await bench.see(2) == [("BTCUSDT", 0, True), ("ETHUSDT", 0, True)]


async def test_malformed_close_stands_in_its_place(bench: Bench) -> None:
    await bench.fault(kind="malformed", symbols=["BTCUSDT"], replace=True, variant="truncated")
    await bench.step()
    broken = await bench.socket.receive(timeout=DEADLINE_S)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.data)
    assert await bench.see(1) == [("ETHUSDT", 0, True)]


@pytest.mark.parametrize(
    ("status", "retry_after", "code"),
    [(429, "7", -1003), (418, "7", -1003), (451, None, 0), (503, None, -1000)],
)
async def test_http_fault_refuses_the_counted_requests(
    bench: Bench, status: int, retry_after: str | None, code: int
) -> None:
    await bench.fault(kind="http", status=status, retry_after_s=7, count=2)
    for _ in range(2):
        got, body, wait = await bench.get("/api/v3/time")
        assert (got, body["code"], wait) == (status, code, retry_after)
    assert (await bench.get("/api/v3/time"))[0] == 200


async def test_http_403_is_a_page_and_not_json(bench: Bench) -> None:
    await bench.fault(kind="http", status=403, path="/api/v3/time")
    assert (await bench.get("/api/v3/ping"))[0] == 200
    status, body, _ = await bench.get("/api/v3/time")
    assert status == 403
    assert body.startswith("<html>")


async def test_wrong_clock_shifts_time_and_events_but_no_kline(bench: Bench) -> None:
    await bench.fault(kind="wrong_clock", offset_ms=90_000)
    assert (await bench.get("/api/v3/time"))[1] == {"serverTime": START_MS + 90_000}
    await bench.step()
    message = await bench.socket.receive(timeout=DEADLINE_S)
    event = json.loads(message.data)["data"]
    assert event["E"] == FIRST_MS + MINUTE_MS + 90_000
    assert event["k"]["t"] == FIRST_MS


async def test_no_trade_minute_has_no_event_and_a_flat_kline(bench: Bench) -> None:
    await bench.fault(kind="no_trade", symbols=["ETHUSDT"])
    await bench.step(2)
    assert await bench.see(3) == [
        ("BTCUSDT", 0, True),
        ("BTCUSDT", 1, True),
        ("ETHUSDT", 1, True),
    ]
    start_ms = FIRST_MS - MINUTE_MS
    path = f"/api/v3/klines?symbol=ETHUSDT&interval=1m&startTime={start_ms}&limit=2"
    _, (before, flat), _ = await bench.get(path)
    assert flat[1:5] == [before[4]] * 4
    assert (flat[5], flat[7], flat[8]) == ("0.00000000", "0.00000000", 0)


async def test_server_shutdown_is_announced_before_the_close(bench: Bench) -> None:
    await bench.fault(kind="server_shutdown", delay_ms=50)
    message = await bench.socket.receive(timeout=DEADLINE_S)
    assert json.loads(message.data) == {
        "stream": "!serverShutdown",
        "data": {"e": "serverShutdown", "E": START_MS},
    }
    closing = await bench.socket.receive(timeout=DEADLINE_S)
    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_storm_of_a_seed_does_the_same_again() -> None:
    async def storm() -> list[tuple[Any, ...]]:
        async with open_bench() as bench:
            await bench.fault(kind="storm", seed=4, count=12, share=0.4)
            await bench.step(12)
            _, state, _ = await bench.get("/control/state")
            return sorted(state["faults_struck"].items())

    first = await storm()
    assert len(first) >= 4
    assert await storm() == first


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "late", "delay_ms": "soon"}, "$.delay_ms"),
        ({"kind": "missing", "symbols": ["NOPEUSDT"]}, "NOPEUSDT"),
        ({"kind": "missing", "count": 0}, "$.count"),
        ({"kind": "malformed", "variant": "melted"}, "melted"),
        ({"kind": "missing", "colour": "red"}, "colour"),
    ],
)
async def test_wrong_fault_is_refused_with_its_field(
    bench: Bench, body: dict[str, object], told: str
) -> None:
    answer = await bench.fault(expected=400, **body)
    assert told in answer["error"]["message"]
