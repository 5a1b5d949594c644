"""The collector as a process: what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from collector.clock import wall_ms
from tests.integration.collector_parts import (
    SECRET,
    TOKEN,
    poked_functions,
    running_door,
    running_market,
)
from tests.integration.standin_servers import free_port

ROOT = Path(__file__).resolve().parents[2]
# Half a second on a quiet machine, 5 s is what it promises; the rest is for a machine under load.
# The waits it must not sit out are longer: 10 s for a socket, 30 s between two sessions.
END_S = 9.0
TIMEOUT_S = 120.0


def environment(**changes: str) -> dict[str, str]:
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return (
        base
        | {
            "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
            "UPSTASH_REDIS_REST_TOKEN": TOKEN,
            "FUNCTIONS_URL": "http://127.0.0.1:9",
            "FUNCTION_SECRET": SECRET,
            "COLLECTOR_HOST": "127.0.0.1",
            "COLLECTOR_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        | changes
    )


def refusal_of(tmp_path: Path, values: dict[str, str]) -> dict[str, str]:
    """Run the collector until it refuses; return its last log line."""
    done = subprocess.run(
        [sys.executable, "-m", "collector.run"],
        env=values,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    line: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert line["event"] == "collector_refused"
    return line


def test_missing_setting_is_refused_by_name(tmp_path: Path) -> None:
    values = environment()
    del values["FUNCTIONS_URL"]
    assert "FUNCTIONS_URL" in refusal_of(tmp_path, values)["error"]


def test_configuration_that_breaks_the_budget_is_refused_with_the_arithmetic(
    tmp_path: Path,
) -> None:
    line = refusal_of(tmp_path, environment(COMMANDS_PER_MONTH_MAX="100000"))
    assert "55470 frame writes + 55470 reads" in line["error"]
    assert "INTERVALS" in line["hint"]


def test_compressed_time_of_a_live_feed_is_refused(tmp_path: Path) -> None:
    values = environment(VENUE_TIME_SPEED="60", COMMANDS_PER_MONTH_MAX="100000000")
    assert "VENUE_TIME_SPEED" in refusal_of(tmp_path, values)["error"]


async def test_sigterm_ends_it_within_five_seconds_while_nothing_answers(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "collector.run",
        env=environment(BINANCE_REST_URL="http://127.0.0.1:9"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), TIMEOUT_S))
    assert line["event"] == "collector_started"
    started_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode == 0
    assert time.monotonic() - started_s < END_S


async def test_live_process_serves_health_and_ends_on_sigterm(tmp_path: Path) -> None:
    with running_door() as door_url:
        async with running_market(wall_ms(), 1.0) as venue, poked_functions() as functions:
            values = environment(
                UPSTASH_REDIS_REST_URL=door_url,
                FUNCTIONS_URL=functions.url,
                FEED="simulated",
                BINANCE_REST_URL=venue.url,
                BINANCE_STREAM_URL=venue.socket_url,
                UNIVERSE_SIZE="10",
                RECORD_DIR=str(tmp_path / "recording"),
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "collector.run",
                env=values,
                cwd=tmp_path,
                stdout=asyncio.subprocess.DEVNULL,
            )
            url = f"http://127.0.0.1:{values['COLLECTOR_PORT']}/health"
            status, report = 0, {}
            async with httpx.AsyncClient() as client:
                began_s = time.monotonic()
                while time.monotonic() - began_s < TIMEOUT_S:
                    try:
                        answer = await client.get(url)
                        status, report = answer.status_code, answer.json()
                    except httpx.TransportError:
                        status = 0
                    if status == 200:
                        break
                    await asyncio.sleep(0.1)
            assert status == 200, report
            assert report["symbols"] == 10
            # Both read the same clock: what is left is half the time of the quickest answer.
            assert abs(report["clock"]["offset_ms"]) < 5000
            started_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
            assert process.returncode == 0
            assert time.monotonic() - started_s < END_S
            # One file an hour: two, if the hour turned meanwhile.
            recordings = (tmp_path / "recording").glob("*.jsonl.gz")
            assert sum(recording.stat().st_size for recording in recordings) > 1000
