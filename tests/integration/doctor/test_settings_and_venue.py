"""Faults of the machine itself and of the venue: settings, disk, reach, clocks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.ports import HOST
from tests.integration.doctor.patient import (
    FAULT,
    OK,
    RESTART,
    TIMEOUT_S,
    WARNING,
    Answer,
    elsewhere,
    examine,
    fails,
    hotel,
    standin,
    venue_fault,
)
from tests.integration.standin_servers import ROOT, free_port
from tests.stack import Stack

SET_CLOCK = "sudo timedatectl set-ntp true"
NO_VENUE = "take BINANCE_REST_URL and BINANCE_STREAM_URL out of .env: it is no address of the venue"


@pytest.mark.parametrize(
    ("line", "found", "mend"),
    [
        (
            "UPSTASH_REDIS_REST_TOKN=x",
            "UPSTASH_REDIS_REST_TOKN in .env is not a setting,"
            " did you mean UPSTASH_REDIS_REST_TOKEN?",
            "sed -i 's/^UPSTASH_REDIS_REST_TOKN=/UPSTASH_REDIS_REST_TOKEN=/' .env",
        ),
        ("QQ=x", "QQ in .env is not a setting", "sed -i '/^QQ=/d' .env"),
    ],
)
def test_unknown_setting_is_mended_by_what_is_shown(
    values: dict[str, str], tmp_path: Path, line: str, found: str, mend: str
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{line}\n")
    fails(examine(values, "settings", env_file=file)["settings"], found, mend)
    subprocess.run(mend, shell=True, cwd=tmp_path, check=True, timeout=TIMEOUT_S)
    assert examine(values, "settings", env_file=file)["settings"].verdict is OK


def test_impossible_setting(values: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("UNIVERSE_SIZE=0\n")
    fails(
        examine(values, "settings", env_file=file)["settings"],
        "UNIVERSE_SIZE: Input should be greater than or equal to 1",
        "edit .env; .env.example lists every setting with its unit",
    )


def test_missing_setting(values: dict[str, str]) -> None:
    del values["function_secret"]
    found = examine(values, "settings", "secret", "signature")
    fails(
        found["settings"],
        "FUNCTION_SECRET not set",
        "echo FUNCTION_SECRET=… >> .env",
        verdict=WARNING,
    )
    assert found["secret"].found == found["signature"].found == "skipped: needs FUNCTION_SECRET"


@pytest.mark.parametrize(
    ("size", "verdict", "found"), [("1g", "warning", "1.1 GB free"), ("100m", "fault", "0.1 GB")]
)
def test_disk_is_nearly_full(tmp_path: Path, size: str, verdict: str, found: str) -> None:
    """A disk of its own, seen by one process only."""
    alone = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*alone, "mount", "-t", "tmpfs", "none", tmp_path], check=False).returncode:
        pytest.skip("this system lets nobody mount a disk of their own")
    question = (
        "import asyncio, sys; from pathlib import Path;"
        "from cli.checks.ground import Ground; from cli.checks.settings import ask_disk;"
        "print(asyncio.run(ask_disk(Ground({}, [Path(sys.argv[1]) / '.env']))))"
    )
    mount = 'mount -t tmpfs -o size="$1" none "$2" && exec "$3" -c "$4" "$2"'
    done = subprocess.run(
        [*alone, "sh", "-c", mount, "sh", size, tmp_path, sys.executable, question],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert f"<Verdict.{verdict.upper()}: '{verdict}'>" in done.stdout
    assert f"found='{found}" in done.stdout


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (451, "set BINANCE_REST_URL=https://data-api.binance.vision"),
        (403, "the venue's firewall blocks this address"),
        (418, "banned for asking too often"),
        (429, "too many requests from this address"),
        (404, NO_VENUE),
        (503, "wait: https://www.binance.com/en/support/announcement"),
    ],
)
def test_venue_refuses(cloud: Stack, values: dict[str, str], status: int, advice: str) -> None:
    with venue_fault(cloud, kind="http", status=status, path="/api/v3/ping", duration_s=30):
        found = examine(values, "venue", "clock")
    assert found["venue"].verdict is FAULT
    assert f"answered {status}" in found["venue"].found
    assert found["venue"].mend.startswith(advice)
    assert found["clock"].found == "skipped: needs venue"


def test_venue_is_not_known_or_not_there(values: dict[str, str]) -> None:
    unknown = values | {
        "binance_rest_url": "http://closebell.invalid",
        "binance_stream_url": "ws://closebell.invalid",
    }
    found = examine(unknown, "venue", "venue_sockets")
    no_name = "closebell.invalid: the name is not known here (DNS"
    fails(found["venue"], no_name, "curl -v http://closebell.invalid/api/v3/ping")
    fails(found["venue_sockets"], no_name, "curl -v http://closebell.invalid")
    nobody = f"{HOST}:{free_port()}"
    closed = {"binance_rest_url": f"http://{nobody}", "binance_stream_url": f"ws://{nobody}"}
    found = examine(values | closed, "venue", "venue_sockets")
    fails(found["venue"], f"{nobody}: connection refused", RESTART)
    fails(found["venue_sockets"], f"{nobody}: connection refused", RESTART)


def test_page_of_a_hotel_is_no_venue(values: dict[str, str]) -> None:
    with standin(hotel) as url:
        other = {"binance_rest_url": url, "binance_stream_url": url.replace("http", "ws")}
        found = examine(values | other, "venue", "venue_sockets")
        host = url.removeprefix("http://")
        for name in ("venue", "venue_sockets"):
            fails(found[name], f"{host} answered, but not as the venue does", NO_VENUE)


@pytest.mark.parametrize(("kind", "found"), [("disconnect", "503"), ("refusal", "451")])
def test_venue_refuses_sockets(cloud: Stack, values: dict[str, str], kind: str, found: str) -> None:
    with standin(lambda _: (451, "application/json", '{"code": 0}')) as url:
        if kind == "refusal":
            values["binance_stream_url"] = url.replace("http", "ws")
            outcome = examine(values, "venue_sockets")["venue_sockets"]
            assert outcome.mend.startswith("set BINANCE_REST_URL=https://data-api.binance.vision")
        else:
            with venue_fault(cloud, kind="disconnect", duration_s=30):
                outcome = examine(values, "venue_sockets")["venue_sockets"]
    assert outcome.verdict is FAULT
    assert outcome.found.endswith(f"answered {found}")


def venue_at(offset_ms: int) -> Answer:
    """A venue whose clock is off."""

    def answer(path: str) -> tuple[int, str, str]:
        now_ms = time.time_ns() // 1_000_000 + offset_ms
        told = {} if path.endswith("/ping") else {"serverTime": now_ms}
        return 200, "application/json", json.dumps(told)

    return answer


@pytest.mark.parametrize(
    ("offset_ms", "verdict", "words"),
    [
        (60_000, FAULT, "is 60 s behind the venue"),
        (-60_000, FAULT, "is 60 s ahead of the venue"),
        (3_000, WARNING, "ms behind the venue"),
    ],
)
def test_clock_is_wrong(
    values: dict[str, str], offset_ms: int, verdict: object, words: str
) -> None:
    with standin(venue_at(offset_ms)) as url:
        values["binance_rest_url"] = url
        found = examine(values, "clock", "postgres_clock")
        there = examine(elsewhere(values), "postgres_clock")["postgres_clock"]
    for name, whose in (("clock", "this machine"), ("postgres_clock", "Postgres")):
        assert (found[name].verdict, found[name].mend) == (verdict, SET_CLOCK)
        assert found[name].found.startswith(f"{whose} is ") and words in found[name].found
    assert there.mend == "restart the project: Settings → General in its dashboard"


@pytest.mark.parametrize(
    ("answer", "found", "mend"),
    [
        (lambda path: (200 if "ping" in path else 429, "a/b", "{}"), "answered 429", "too many"),
        (lambda path: (200, "a/b", "{}"), "did not tell its time", NO_VENUE),
    ],
)
def test_venue_does_not_tell_its_time(
    values: dict[str, str], answer: Callable[[str], tuple[int, str, str]], found: str, mend: str
) -> None:
    with standin(answer) as url:
        outcome = examine(values | {"binance_rest_url": url}, "clock")["clock"]
    assert (outcome.verdict, outcome.found.endswith(found)) == (FAULT, True)
    assert outcome.mend.startswith(mend)
