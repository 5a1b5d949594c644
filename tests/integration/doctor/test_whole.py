"""The doctor as a person types it: all well, nothing there, bounded, mended, and what is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cli.checks.catalogue import CHECKS
from cli.checks.runner import TOTAL_TIMEOUT_S
from local.ports import HOST
from tests.integration.doctor.patient import (
    COMMAND,
    FAULT,
    OK,
    SKIPPED,
    TIMEOUT_S,
    closebell,
    examine,
    execute,
    frozen,
    installed,
)
from tests.integration.standin_servers import free_port
from tests.integration.terminal import Terminal
from tests.stack import Stack


def test_all_is_well(values: dict[str, str]) -> None:
    done = installed(values, "doctor", "--json")
    report = json.loads(done.stdout)
    assert [(one["name"], one["verdict"], one["found"]) for one in report["checks"]] == [
        (check.name, "ok", one["found"])
        for check, one in zip(CHECKS, report["checks"], strict=True)
    ]
    assert (done.returncode, report["exit_code"], report["fixed"]) == (0, 0, [])
    assert "8 symbols" in next(c for c in report["checks"] if c["name"] == "collector")["found"]


def test_a_person_sees_marks_counts_and_no_secret(values: dict[str, str]) -> None:
    shown = {name.upper(): text for name, text in values.items()}
    with Terminal([str(COMMAND), "doctor"], shown | {"COLUMNS": "80", "NO_COLOR": "1"}) as terminal:
        assert terminal.end(TIMEOUT_S) == 0
    lines = terminal.screen.splitlines()
    assert lines[0].startswith("closebell doctor · ")
    assert sum(line.startswith("✓ ") for line in lines) == len(CHECKS)
    assert lines[-1].endswith(f"✓ {len(CHECKS)}")
    assert max(map(len, lines)) <= 80 and "\x1b[3" not in terminal.screen
    for name in ("function_secret", "supabase_secret_key", "upstash_redis_rest_token"):
        assert values[name] not in terminal.screen


def test_nothing_runs() -> None:
    """As after `make stop`: what to type first, and what could not be asked."""
    closed = f"//{HOST}:{free_port()}"
    found = examine({"binance_rest_url": f"http:{closed}", "binance_stream_url": f"ws:{closed}"})
    assert (found["settings"].verdict, found["settings"].mend) == (FAULT, "make run")
    assert found["postgres"].found == "skipped: needs DATABASE_URL"
    assert found["redis"].found == "skipped: needs UPSTASH_REDIS_REST_URL"
    assert found["realtime"].found == "skipped: needs postgres"
    assert "nothing listens there" in found["venue"].found
    assert found["clock"].found == "skipped: needs venue"
    assert {one.verdict for one in found.values()} == {OK, FAULT, SKIPPED}


def test_fix_goes_on_with_what_it_uncovers(cloud: Stack, values: dict[str, str]) -> None:
    """Routines, timetable, address and secret at once: the later ones are asked after the first."""
    execute(
        cloud,
        # The newest one, whose statements can be repeated.
        "delete from supabase_migrations.schema_migrations where version = '20261123000100'",
        "drop function ops.status() cascade",
        "update ops.settings set value = '' where name = 'functions_url'",
        "delete from ops.local_secrets",
    )
    seen = examine(values, "functions_url", "secret")
    assert seen["functions_url"].found == seen["secret"].found == "skipped: needs migrations"
    done = closebell(values, "doctor", "--fix", "--json")
    report = json.loads(done.stdout)
    assert [(one["fix"], one["is_done"]) for one in report["fixed"]] == [
        ("migrate", True),
        ("functions_url", True),
        ("function_secret", True),
    ]
    assert (done.returncode, report["exit_code"]) == (0, 0), done.stdout


def test_schedules_are_completed(values: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.completion import *; print(complete_schedules('ti'))"],
        env={**os.environ, "DATABASE_URL": values["database_url"]},
        cwd=Path(COMMAND).parents[2],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stdout.startswith("[('tick', 'Make the slots")


def test_whole_doctor_is_bounded_when_nothing_answers(cloud: Stack, values: dict[str, str]) -> None:
    names = ("postgres", "upstash", "functions", "gateway", "collector", "venue")
    began_s = time.monotonic()
    with frozen(cloud, *names):
        found = examine(values)
    assert time.monotonic() - began_s < TOTAL_TIMEOUT_S + 1
    for name in ("venue", "redis", "functions", "rest", "dashboard", "collector", "postgres"):
        assert found[name].verdict is FAULT, found[name]
