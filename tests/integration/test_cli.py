"""The installed `closebell` command: exit codes, JSON, history of a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local.run import tell_operator
from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import Interval
from shared.settings import RedisSettings, load_settings
from shared.store.frames import FRAMES_PER_COMMAND, FrameStore, Revisions, connect_redis
from shared.store.meter import CommandMeter
from tests.stack import Stack
from tests.unit.rules.windows import random_columns

COMMAND = Path(sys.executable).parent / "closebell"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
SYMBOLS = tuple(f"S{number}USDT" for number in range(12))
BARS = 150
TIMEOUT_S = 120.0


def run(
    *words: str, environment: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
        # Not the project: the command works from anywhere.
        cwd="/",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Redis and its REST door."""
    with Stack(names=("upstash", "redis"), with_samples=False) as running:
        asyncio.run(publish(running, Interval.H1, BARS))
        asyncio.run(publish(running, Interval.H4, BARS))
        yield running


async def publish(stack: Stack, interval: Interval, bars: int) -> None:
    """Publish made-up bars up to the last one that has closed by now."""
    cloud = stack.cloud
    redis = connect_redis(cloud.local_url(cloud.ports.upstash), cloud.secrets.redis_token)
    store = FrameStore(redis, CommandMeter(0.0))
    last_ms = interval.floor_ms(int(time.time() * 1000)) - interval.duration_ms
    columns = random_columns(int(interval.duration_ms), bars, len(SYMBOLS))
    await store.publish_symbols("binance", SYMBOLS)
    frames = [
        Frame(
            venue="binance",
            interval=interval,
            open_time_ms=last_ms - (bars - 1 - bar) * interval.duration_ms,
            symbol_list_id=symbol_list_id(SYMBOLS),
            revision=1,
            feed=Feed.SIMULATED,
            complete=True,
            received_at_ms=last_ms,
            published_at_ms=last_ms,
            present=np.ones(len(SYMBOLS), dtype=np.bool_),
            columns=columns[:, bar],
        )
        for bar in range(bars)
    ]
    for start in range(0, bars, FRAMES_PER_COMMAND):
        await store.publish(frames[start : start + FRAMES_PER_COMMAND], Revisions())
    await store.close()


@pytest.fixture
def redis(cloud: Stack) -> dict[str, str]:
    """The settings that point the command at this Redis."""
    return {
        "UPSTASH_REDIS_REST_URL": cloud.cloud.local_url(cloud.cloud.ports.upstash),
        "UPSTASH_REDIS_REST_TOKEN": cloud.cloud.secrets.redis_token,
    }


def test_check_is_installed_and_ends_with_its_code() -> None:
    done = run("rules", "check", "rsi(14) < 30", "--json")
    assert document(done)["rule"] == "rsi(14) < 30"
    done = run("rules", "check", "-", stdin="rsy(14) < 30")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean rsi?" in done.stderr
    assert run("rules", "chekc").returncode == 2
    assert run("--version").stdout.startswith("closebell ")


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (("--help",), {"numpy", "rich", "pydantic", "httpx"}),
        (("rules", "check", "close > 1"), {"rich", "pydantic", "httpx", "structlog"}),
    ],
)
def test_fast_commands_import_only_what_they_need(
    words: tuple[str, ...], unwanted: set[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & unwanted


def test_preview_of_redis(redis: dict[str, str]) -> None:
    words = ("rules", "preview", "close > sma(20)", "-i", "1h")
    found = document(run(*words, "--json", environment=redis))
    assert found["instruments_count"] == len(SYMBOLS)
    assert found["true_count"] + found["false_count"] == len(SYMBOLS)
    assert found["feed"] == "simulated"
    assert found["lately"]["closes_count"] == 100
    # An hour boundary may have passed since the bars were published.
    assert found["notes"] == []
    assert found["source"].startswith("Redis at 127.0.0.1:")
    done = run(*words, environment=redis)
    assert done.returncode == 0
    assert "SIMULATED" in done.stdout
    assert done.stderr == ""


def test_preview_of_redis_with_a_longer_interval(redis: dict[str, str]) -> None:
    rule = 'close > sma(20) and close(tf="4h") > 0'
    found = document(run("rules", "preview", rule, "-i", "1h", "--json", environment=redis))
    assert found["unknown_count"] == 0
    rule = 'close > 0 and close(tf="1d") > 0'
    found = document(run("rules", "preview", rule, "-i", "1h", "--json", environment=redis))
    assert found["unknown_count"] == len(SYMBOLS)
    assert found["unknown"] == [{"kind": "missing", "count": len(SYMBOLS)}]
    assert found["notes"][0].startswith("no 1d klines are kept")


def test_explain_of_redis(redis: dict[str, str]) -> None:
    words = ("rules", "explain", "close > sma(20)", "S3USDT", "-i", "1h", "--json")
    found = document(run(*words, environment=redis))
    assert found["instruments"][0]["explanation"]["text"] == "close > sma(20)"
    done = run("rules", "explain", "close > 1", "X3USDT", "-i", "1h", environment=redis)
    assert done.returncode == 2
    assert "did you mean S3USDT?" in done.stderr


def test_backtest_of_redis(redis: dict[str, str]) -> None:
    words = ("rules", "backtest", "close > sma(20)", "-i", "1h", "--json")
    found = document(run(*words, environment=redis))
    assert found["closes_count"] == BARS - 20
    assert found["short_history_closes_count"] == BARS - 20
    assert found["signals_count"] > 0
    assert found["horizons"][0]["universe"]["count"] == (BARS - 21) * len(SYMBOLS)


def test_redis_without_klines_of_the_interval_says_so(redis: dict[str, str]) -> None:
    done = run("rules", "preview", "close > 1", "-i", "5m", environment=redis)
    assert done.returncode == 1
    assert "expected 5m klines of binance, there are none" in done.stderr


def test_redis_that_does_not_answer_says_so(redis: dict[str, str]) -> None:
    gone = redis | {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9"}
    done = run("rules", "preview", "close > 1", "-i", "1h", environment=gone)
    assert done.returncode == 1
    assert "expected an answer of Redis to HKEYS, was ConnectError" in done.stderr
    assert ", at http://127.0.0.1:9 (" in done.stderr
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr


def test_redis_that_refuses_the_token_says_so(redis: dict[str, str]) -> None:
    wrong = redis | {"UPSTASH_REDIS_REST_TOKEN": "wrong"}
    done = run("rules", "preview", "close > 1", "-i", "1h", environment=wrong)
    assert done.returncode == 1
    assert "UPSTASH_REDIS_REST_URL and _TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_local_cloud_tells_the_command_where_its_redis_is(cloud: Stack) -> None:
    tell_operator(cloud.cloud)
    file = cloud.state.operator_file
    assert file.stat().st_mode & 0o777 == 0o600
    settings = load_settings(RedisSettings, [file])
    assert settings.upstash_redis_rest_url == cloud.cloud.local_url(cloud.cloud.ports.upstash)
    assert settings.upstash_redis_rest_token.get_secret_value() == cloud.cloud.secrets.redis_token


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded data are not beside the project")
def test_backtest_of_recorded_days() -> None:
    folder = str(RECORDED / "klines_spot_1d")
    rule = "crosses_above(ema(9), ema(21)) and close > sma(50)"
    found = document(run("rules", "backtest", rule, "-i", "1d", "--files", folder, "--json"))
    assert found["instruments_count"] == 24
    assert found["signals_count"] > 100
    assert found["horizons"][0]["universe"]["count"] > 16_000


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded data are not beside the project")
def test_preview_of_recorded_intervals() -> None:
    folder = str(RECORDED / "klines_usdm_202510")
    rule = 'close > ema(20, tf="1h") and rank(roc("1h")) <= 5'
    found = document(run("rules", "preview", rule, "-i", "15m", "--files", folder, "--json"))
    assert found["instruments_count"] == 30
    assert not any("1h bars are made of" in note for note in found["notes"])
    found = document(
        run(
            "rules",
            "preview",
            "close > sma(9)",
            "-i",
            "1m",
            "-f",
            str(RECORDED / "klines_1m"),
            "--json",
        )
    )
    assert found["instruments_count"] == 1
