"""A recording played through the venue, and the venue as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp

from collector.record import Recorder
from local.venue.clock import SteppedClock
from local.venue.recording import read_recording
from local.venue.replay import ReplayMarket
from local.venue.server import running_venue
from shared.market.interval import MINUTE_MS

RECORDED_MS = 1_700_000_040_000
START_MS = 1_795_231_062_512
FIRST_MS = START_MS - START_MS % MINUTE_MS
DEADLINE_S = 90.0
QUIET_S = 0.2


def event(minute: int, closed: bool) -> bytes:
    open_ms = RECORDED_MS + minute * MINUTE_MS
    k = {"t": open_ms, "T": open_ms + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 9}
    k |= {"o": f"{minute}1.00", "c": f"{minute}2.50", "h": f"{minute}9.00", "l": "1.00"}
    k |= {"v": "4.00000000", "n": 9, "x": closed, "q": "8.00000000", "V": "1.0", "Q": "2.0"}
    data = {"e": "kline", "E": open_ms + 60_000, "s": "BTCUSDT", "k": k}
    message = {"stream": "btcusdt@kline_1m", "data": data}
    return json.dumps(message, separators=(",", ":")).encode()


async def test_collectors_recording_plays_and_ends_in_silence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, now_ms=lambda: RECORDED_MS)
    for minute in range(1, 6):
        recorder.record("ws", "wss://venue/stream", event(minute, closed=False))
        recorder.record("ws", "wss://venue/stream", event(minute, closed=True))
    recorder.close()
    market = ReplayMarket(read_recording(tmp_path), START_MS, history_share=0.6)
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with (
        running_venue(market, SteppedClock(START_MS)) as running,
        aiohttp.ClientSession(timeout=timeout) as session,
        session.ws_connect(running.socket_url + "/ws/btcusdt@kline_1m") as socket,
    ):

        async def get(path: str) -> Any:
            async with session.get(running.url + path) as response:
                assert response.status == 200
                return await response.json()

        history = await get("/api/v3/klines?symbol=BTCUSDT&interval=1m")
        # Three minutes of history, and the first of those that play, forming.
        assert [row[0] for row in history] == [FIRST_MS + i * MINUTE_MS for i in (-3, -2, -1, 0)]
        assert [row[4] for row in history[:3]] == ["12.50000000", "22.50000000", "32.50000000"]
        async with session.post(running.url + "/control/step", json={"minutes": 3}) as response:
            assert (await response.json())["ended"] is True
        closes = [json.loads((await socket.receive(timeout=DEADLINE_S)).data) for _ in range(2)]
        assert [(one["k"]["t"], one["k"]["c"]) for one in closes] == [
            (FIRST_MS, "42.50000000"),
            (FIRST_MS + MINUTE_MS, "52.50000000"),
        ]
        try:
            message = await socket.receive(timeout=QUIET_S)
        except TimeoutError:
            message = None
        assert message is None
        state = await get("/control/state")
        assert (state["feed"], state["ended"]) == ("replay", True)
        rows = await get("/api/v3/klines?symbol=BTCUSDT&interval=1m")
        assert [row[0] for row in rows[-1:]] == [FIRST_MS + MINUTE_MS]


async def start_process(*flags: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start the venue on any free port; return it and its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.venue.server", "--port", "0", "--stepped"),
        *("--symbols", "3", "--history-days", "1", "--start-ms", str(START_MS), *flags),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "VENUE_SEED": "11"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        while line := await process.stdout.readline():
            started = json.loads(line)
            if started["event"] == "venue_started":
                return process, started["url"]
    raise AssertionError("expected the venue to start, its output ended")


async def test_killed_process_comes_back_with_the_same_market(tmp_path: Path) -> None:
    flags = ("--state-dir", str(tmp_path))
    answers = []
    # Listed "hours ago" as seen from the first start, not from each.
    path = "/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=300"
    for end in (signal.SIGKILL, signal.SIGTERM):
        process, url = await start_process(*flags)
        try:
            async with aiohttp.ClientSession() as session, session.get(url + path) as response:
                answers.append(await response.text())
        finally:
            process.send_signal(end)
            async with asyncio.timeout(DEADLINE_S):
                code = await process.wait()
        assert code == (-signal.SIGKILL if end is signal.SIGKILL else 0)
    assert len(json.loads(answers[0])) == 300
    assert answers[0] == answers[1]


async def test_process_with_an_impossible_market_says_so_and_ends(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.venue.server", "--port", "0"),
        *("--market", f"replay:{tmp_path}"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        output, _ = await process.communicate()
    last = json.loads(output.splitlines()[-1])
    assert process.returncode == 1
    assert last["event"] == "venue_refused"
    assert "expected closed 1m klines" in last["message"]
