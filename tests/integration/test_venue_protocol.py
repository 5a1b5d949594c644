"""The simulated venue over real sockets: REST, streams and limits as a raw client sees them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest

from local.venue.clock import RunningClock, SteppedClock
from local.venue.market import SimulatedMarket
from local.venue.options import VenueOptions
from local.venue.server import RunningVenue, running_venue
from local.venue.venue import Venue
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import parse_e8

START_MS = 1_795_231_062_512
MINUTE_START_MS = START_MS - START_MS % MINUTE_MS
SYMBOLS = 20
DEADLINE_S = 60.0


class Client:
    """A raw client of one venue."""

    def __init__(self, running: RunningVenue, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def get(self, path: str, expected: int = 200) -> Any:
        async with self.session.get(self.running.url + path) as response:
            assert response.status == expected, await response.text()
            return await response.json()

    async def post(self, path: str, body: object, expected: int = 200) -> Any:
        async with self.session.post(self.running.url + path, json=body) as response:
            assert response.status == expected, await response.text()
            return await response.json()

    async def warmed(self) -> None:
        """Ask until all history is there; the caller sets the deadline."""
        while True:
            async with self.session.get(self.running.url + "/control/ready") as response:
                if response.status == 200:
                    return
                assert response.status == 503

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.session.ws_connect(self.running.socket_url + path) as socket:
            yield socket


@asynccontextmanager
async def client_of(
    options: VenueOptions | None = None, speed: float | None = None
) -> AsyncIterator[Client]:
    """Yield a client; beside a stepped clock the minute of the request weight stands still too."""
    market = SimulatedMarket(5, SYMBOLS, anchor_ms=START_MS, history_days=3)
    clock = SteppedClock(START_MS) if speed is None else RunningClock(speed, START_MS)
    monotonic_s = time.monotonic if speed is not None else partial(float, 1_000)
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with (
        running_venue(market, clock, options, monotonic_s=monotonic_s) as running,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        yield Client(running, session)


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Any:
    message = await socket.receive(timeout=DEADLINE_S)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return json.loads(message.data)


async def test_time_and_ping_and_weights_are_the_venues() -> None:
    async with client_of() as client:
        assert await client.get("/api/v3/time") == {"serverTime": START_MS}
        assert await client.get("/api/v3/ping") == {}
        async with client.session.get(client.running.url + "/api/v3/exchangeInfo") as response:
            assert response.headers["X-MBX-USED-WEIGHT-1M"] == "22"
            assert len((await response.json())["symbols"]) == SYMBOLS + 12
        async with client.session.get(client.running.url + "/api/v3/ticker/24hr") as response:
            assert response.headers["X-MBX-USED-WEIGHT-1M"] == "102"
            tickers = await response.json()
        volumes = {one["symbol"]: parse_e8(one["quoteVolume"]) for one in tickers}
        assert len(tickers) == SYMBOLS + 12
        assert volumes["BTCUSDT"] > volumes["DOGEUSDT"] > 0
        assert volumes["AIONUSDT"] == 0
        one = await client.get("/api/v3/ticker/24hr?symbol=ETHUSDT")
        assert parse_e8(one["quoteVolume"]) == volumes["ETHUSDT"]
        mini = await client.get("/api/v3/ticker/24hr?type=MINI")
        assert parse_e8(mini[0]["quoteVolume"]) == volumes["BTCUSDT"]
        assert "priceChange" in tickers[0]
        assert "priceChange" not in mini[0]
        few = await client.get('/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]')
        assert [row["symbol"] for row in few["symbols"]] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "1d"])
async def test_klines_end_with_the_forming_one(interval: str) -> None:
    async with client_of() as client:
        duration_ms = Interval(interval).duration_ms
        rows = await client.get(f"/api/v3/klines?symbol=BTCUSDT&interval={interval}&limit=4")
        last_ms = Interval(interval).floor_ms(START_MS)
        assert [row[0] for row in rows] == [last_ms - i * duration_ms for i in (3, 2, 1, 0)]
        assert [row[6] for row in rows] == [row[0] + duration_ms - 1 for row in rows]
        assert all(len(row) == 12 and isinstance(row[1], str) for row in rows)


async def test_klines_from_a_start_are_the_first_of_the_range() -> None:
    async with client_of() as client:
        path = "/api/v3/klines?symbol=ETHUSDT&interval=1m"
        start_ms = MINUTE_START_MS - 100 * MINUTE_MS
        rows = await client.get(f"{path}&startTime={start_ms}&limit=3")
        assert [row[0] for row in rows] == [start_ms + i * MINUTE_MS for i in range(3)]
        end_ms = start_ms + 2 * MINUTE_MS - 1
        rows = await client.get(f"{path}&startTime={start_ms}&endTime={end_ms}")
        assert [row[0] for row in rows] == [start_ms, start_ms + MINUTE_MS]
        rows = await client.get(f"{path}&endTime={end_ms}&limit=2")
        assert [row[0] for row in rows] == [start_ms, start_ms + MINUTE_MS]
        assert len(await client.get(path)) == 500
        assert len(await client.get(f"{path}&limit=5000")) == 1_000
        # From before the beginning: the oldest there is.
        rows = await client.get(f"{path}&startTime=0&limit=2")
        history_from_ms = client.running.venue.market.history_from_ms
        assert [row[0] for row in rows] == [history_from_ms, history_from_ms + MINUTE_MS]
        assert await client.get(f"{path}&startTime={START_MS + 10 * MINUTE_MS}") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("interval=1m", -1102),
        ("symbol=NOPEUSDT&interval=1m", -1121),
        ("symbol=BTCUSDT&interval=7m", -1120),
        ("symbol=BTCUSDT&interval=1m&limit=0", -1130),
        ("symbol=BTCUSDT&interval=1m&startTime=soon", -1100),
    ],
)
async def test_klines_with_a_wrong_parameter_are_refused(query: str, code: int) -> None:
    async with client_of() as client:
        answer = await client.get(f"/api/v3/klines?{query}", expected=400)
        assert answer["code"] == code


async def test_weight_over_budget_is_refused_until_later() -> None:
    async with client_of(VenueOptions(weight_per_minute=45)) as client:
        await client.get("/api/v3/exchangeInfo")
        await client.get("/api/v3/exchangeInfo")
        async with client.session.get(client.running.url + "/api/v3/exchangeInfo") as response:
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 60
            assert (await response.json())["code"] == -1003


async def test_step_closes_the_minute_that_rest_shows() -> None:
    async with (
        client_of() as client,
        client.socket("/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m") as socket,
    ):
        answer = await client.post("/control/step", {})
        closed_at_ms = MINUTE_START_MS + MINUTE_MS
        assert answer == {
            "open_time_ms": MINUTE_START_MS,
            "closed_at_ms": closed_at_ms,
            "ended": False,
        }
        messages = [await receive(socket), await receive(socket)]
        streams = ["btcusdt@kline_1m", "ethusdt@kline_1m"]
        assert [one["stream"] for one in messages] == streams
        for message in messages:
            event = message["data"]
            k = event["k"]
            assert (event["e"], event["E"], k["x"]) == ("kline", closed_at_ms, True)
            path = f"/api/v3/klines?symbol={event['s']}&interval=1m&startTime={k['t']}&limit=1"
            (row,) = await client.get(path)
            assert row == [
                *(k["t"], k["o"], k["h"], k["l"], k["c"], k["v"], k["T"]),
                *(k["q"], k["n"], k["V"], k["Q"], "0"),
            ]
        assert (await client.get("/api/v3/time"))["serverTime"] == closed_at_ms


async def test_step_with_forming_pushes_grows_to_the_close() -> None:
    async with client_of() as client, client.socket("/ws/solusdt@kline_1m") as socket:
        # The venue starts inside a minute: the first step ends that one.
        await client.post("/control/step", {})
        assert (await receive(socket))["k"]["x"] is True
        await client.post("/control/step", {"forming_pushes": 3})
        events = [await receive(socket) for _ in range(4)]
        assert [one["k"]["x"] for one in events] == [False, False, False, True]
        volumes = [parse_e8(one["k"]["v"]) for one in events]
        assert volumes == sorted(volumes)
        highs = [parse_e8(one["k"]["h"]) for one in events]
        assert highs == sorted(highs)


async def test_running_venue_pushes_forming_klines_and_closes_in_time() -> None:
    async with (
        client_of(VenueOptions(push_interval_s=0.2), speed=60.0) as client,
        client.socket("/stream?streams=btcusdt@kline_1m") as socket,
    ):
        kinds: list[bool] = []
        opens: list[int] = []
        while kinds.count(True) < 2 or kinds.count(False) < 2:
            event = (await receive(socket))["data"]
            kinds.append(event["k"]["x"])
            opens.append(event["k"]["t"])
            if event["k"]["x"]:
                # Compressed: 150 ms of jitter are 9 s of venue time; the rest is for a machine
                # under load.
                assert 0 < event["E"] - event["k"]["T"] < 600_000
        assert opens == sorted(opens)


async def test_close_that_is_noticed_late_goes_out_before_the_next_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_ms = 0
    market = SimulatedMarket(5, SYMBOLS, anchor_ms=START_MS, history_days=1)
    clock = RunningClock(1.0, MINUTE_START_MS, lambda: real_ms)
    venue = Venue(market, clock, VenueOptions(), lambda: real_ms / 1_000)
    pushed: list[int] = []

    def send_forming(indexes: object, at_ms: int, hush: object) -> None:
        pushed.append(at_ms)

    monkeypatch.setattr(venue.sender, "send_forming", send_forming)
    venue.hub.wanted[:] = True
    # The machine slept over the boundary: first the minute is closed, then its closes are sent.
    real_ms = MINUTE_MS + 400
    venue.push_forming(0)
    venue.close_minute(MINUTE_START_MS)
    venue.push_forming(0)
    assert pushed == []
    real_ms += 170
    venue.push_forming(0)
    assert pushed == [MINUTE_START_MS + real_ms]
    venue.stop()


async def test_subscriptions_are_kept_per_socket() -> None:
    async with client_of() as client, client.socket("/stream") as socket:
        for request, answer in [
            ({"method": "LIST_SUBSCRIPTIONS", "id": 1}, {"result": [], "id": 1}),
            (
                {
                    "method": "SUBSCRIBE",
                    "params": ["btcusdt@kline_1m", "ethusdt@kline_1m"],
                    "id": "two",
                },
                {"result": None, "id": "two"},
            ),
            (
                {"method": "UNSUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 3},
                {"result": None, "id": 3},
            ),
            ({"method": "LIST_SUBSCRIPTIONS", "id": 4}, {"result": ["ethusdt@kline_1m"], "id": 4}),
        ]:
            await socket.send_json(request)
            assert await receive(socket) == answer
        await client.post("/control/step", {})
        assert (await receive(socket))["data"]["s"] == "ETHUSDT"


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ("not json", 3),
        ('{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["BTCUSDT@kline_1m"],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"DANCE","params":[],"id":1}', 2),
        ('{"method":"LIST_SUBSCRIPTIONS","id":[1]}', 2),
    ],
)
async def test_wrong_request_is_answered_with_its_code(request_text: str, code: int) -> None:
    async with client_of() as client, client.socket("/ws") as socket:
        await socket.send_str(request_text)
        assert (await receive(socket))["code"] == code


async def test_sixth_message_within_a_second_ends_the_socket() -> None:
    async with client_of() as client, client.socket("/ws") as socket:
        # Nothing else to do for us and the venue in this second.
        await client.warmed()
        # Control messages, pings and pongs count alike.
        for number in range(2):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        for _ in range(2):
            await socket.ping()
            await socket.pong()
        assert [(await receive(socket))["id"] for _ in range(2)] == [0, 1]
        closing = await socket.receive(timeout=DEADLINE_S)
        assert closing.type is aiohttp.WSMsgType.CLOSE
        assert closing.data == 1008


async def test_more_streams_than_the_venue_carries_are_refused() -> None:
    many = [f"made{number}usdt@kline_1m" for number in range(1_025)]
    async with client_of() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with client.socket("/stream?streams=" + "/".join(many)):
                pass
        assert refused.value.status == 400
        async with client.socket("/stream?streams=" + "/".join(many[:1_024])) as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": many[1_024:], "id": 1})
            assert (await receive(socket))["code"] == 2


async def test_venue_pings_and_drops_who_does_not_answer() -> None:
    options = VenueOptions(ping_interval_s=0.05, pong_timeout_s=0.3)
    async with client_of(options) as client:
        url = client.running.socket_url + "/ws/btcusdt@kline_1m"
        async with client.session.ws_connect(url, autoping=False) as socket:
            message = await socket.receive(timeout=DEADLINE_S)
            assert message.type is aiohttp.WSMsgType.PING
            assert message.data == str(START_MS).encode()
            while message.type is aiohttp.WSMsgType.PING:
                message = await socket.receive(timeout=DEADLINE_S)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


async def test_connection_ends_with_its_life() -> None:
    async with (
        client_of(VenueOptions(connection_life_s=0.1)) as client,
        client.socket("/ws/btcusdt@kline_1m") as socket,
    ):
        closing = await socket.receive(timeout=DEADLINE_S)
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_history_is_ready_soon_and_waited_for() -> None:
    async with client_of() as client:
        # Asked at once: the answer waits for its history instead of failing.
        rows = await client.get("/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=600")
        assert len(rows) == 4
        async with asyncio.timeout(DEADLINE_S):
            await client.warmed()
        assert await client.get("/control/ready") == {"ready": True}


async def test_control_of_a_running_clock_cannot_step() -> None:
    async with client_of(speed=1.0) as client:
        answer = await client.post("/control/step", {}, expected=400)
        assert "expected a stepped clock" in answer["error"]["message"]
