"""The cost meter on the real chain: what is counted here is what the stores counted themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner, Result

from cli.main import app
from shared.market.interval import MINUTE_MS, Interval
from shared.signing import signed_headers
from tests.account import Account
from tests.stack import Stack

START_MS = Interval.H1.floor_ms(int(time.time() * 1000)) - 120 * MINUTE_MS
SYMBOLS = 20
CLOSES = 5


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """The chain from the market to the signal; the market steps, so that it can stand still."""
    environment = {
        "VENUE_STEPPED": "1",
        "VENUE_START_MS": str(START_MS),
        "UNIVERSE_SIZE": str(SYMBOLS),
        "CLOSE_GRACE_S": "20",
        "USAGE_REPORT_S": "1",
    }
    names = ("functions", "collector", "gateway", "rest")
    with Stack(names, environment=environment, with_samples=False) as running:
        health = f"{running.cloud.local_url(running.cloud.ports.collector)}/health"
        running.wait_for(lambda: httpx.get(health).json()["phase"] == "live", "history", 300)
        account = Account(running, "owner@example.com")
        for interval in ("1m", "5m"):
            account.save_trader("close > 0", interval=interval, trigger="while").raise_for_status()
        with psycopg.connect(running.dsn, autocommit=True) as database:
            # Slots of the stepped past are owed to them, and no tick comes in between.
            database.execute("set session_replication_role = replica")
            database.execute("update public.traders set enabled_at = now() - interval '30 days'")
            database.execute("select cron.unschedule(jobid) from cron.job")
        yield running


def rows(stack: Stack, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(stack.dsn, autocommit=True, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()


def used(stack: Stack) -> dict[str, float]:
    return {r["meter"]: float(r["amount"]) for r in rows(stack, "select * from ops.usage")}


def finished_ms(stack: Stack) -> list[int]:
    query = "select ops.to_ms(closed_at) as ms from ops.runs where finished_at is not null"
    return [int(row["ms"]) for row in rows(stack, query)]


def door(stack: Stack) -> dict[str, Any]:
    url = f"{stack.cloud.local_url(stack.cloud.ports.upstash)}/_meter"
    report: dict[str, Any] = httpx.get(url).raise_for_status().json()
    return report


def poke(stack: Stack, closed_at_ms: int) -> None:
    """Call the functions about a slot that is done: it costs no Redis command."""
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": closed_at_ms}
    body = json.dumps(slot).encode()
    headers = signed_headers(stack.cloud.function_secret, int(time.time()), body)
    url = f"{stack.cloud.functions_url}/trigger_executions"
    httpx.post(url, content=body, headers=headers, timeout=30).raise_for_status()


def test_what_is_counted_is_what_the_stores_counted(cloud: Stack) -> None:
    venue = cloud.cloud.local_url(cloud.cloud.ports.venue)
    for close in range(1, CLOSES + 1):
        step = {"minutes": 1, "forming_pushes": 1}
        httpx.post(f"{venue}/control/step", json=step, timeout=30).raise_for_status()
        cloud.wait_for(
            # Asked within this turn of the loop only.
            lambda: START_MS + close * MINUTE_MS in finished_ms(cloud),  # noqa: B023
            f"the run of close {close}",
        )
    last_ms = START_MS + CLOSES * MINUTE_MS

    def all_counted() -> bool:
        # Only the end of a request makes a report, and only one a second.
        poke(cloud, last_ms)
        counted, stored = used(cloud), door(cloud)
        # A report may fall between a command and its reply: then the next has the bytes.
        return (counted.get("redis_commands"), counted.get("redis_bytes")) == (
            stored["total"],
            stored["bytes_received"] + stored["bytes_sent"],
        )

    cloud.wait_for(all_counted, "every command and its bytes to be counted", timeout_s=60)
    counted, stored = used(cloud), door(cloud)
    # History and closes of the collector, windows and symbol lists of the functions.
    assert stored["commands"]["HSET"] > CLOSES
    assert stored["commands"]["HMGET"] > CLOSES
    assert counted["redis_commands"] == stored["total"]
    assert counted["redis_bytes"] == stored["bytes_received"] + stored["bytes_sent"]

    # Each close: the poke and the run it starts; besides, the pokes by hand above.
    runs_count = len(finished_ms(cloud))
    assert runs_count >= CLOSES
    assert counted["function_invocations"] >= 2 * runs_count
    assert 0 < counted["function_seconds"] < counted["function_machine_seconds"]
    assert counted["collector_seconds"] > 0
    assert counted["egress_bytes"] > 0
    names = [r["reporter"].split("-")[0] for r in rows(cloud, "select * from ops.usage_reporters")]
    assert sorted(names) == ["collector", "functions"]


def test_postgres_counts_what_it_alone_sees(cloud: Stack) -> None:
    rows(cloud, "select ops.count_usage()")
    before = used(cloud)
    assert before["database_bytes"] > 5_000_000
    rows(
        cloud,
        "update ops.usage_reporters set totals = totals || jsonb_build_object('until',"
        " now() - interval '1 day') where reporter = 'postgres' returning reporter",
    )
    rows(
        cloud,
        "update realtime.messages set inserted_at = inserted_at - interval '10 minutes'"
        " returning id",
    )
    rows(cloud, "select ops.count_usage()")
    (sent,) = rows(
        cloud,
        "select count(*) as messages, sum(octet_length(payload::text)) as bytes"
        " from realtime.messages where extension = 'broadcast'",
    )
    (pairs,) = rows(cloud, "select count(distinct (user_id, run_id)) as n from public.signals")
    assert sent["messages"] == pairs["n"] > 0
    after = used(cloud)
    assert after["realtime_messages"] == 2 * sent["messages"]
    assert after["egress_bytes"] - before["egress_bytes"] >= sent["bytes"]


def test_cost_of_a_few_minutes_is_not_projected(cloud: Stack) -> None:
    environment = {"DATABASE_URL": cloud.dsn, "COLUMNS": "80"}
    shown = CliRunner().invoke(app, ["cost"], env=environment).stdout
    assert "too few to project a month" in shown
    assert "$2" not in shown
    document = json.loads(CliRunner().invoke(app, ["cost", "--json"], env=environment).stdout)
    assert document["usd_per_month"] is None


def test_budget_names_every_meter_with_its_share(cloud: Stack) -> None:
    rows(
        cloud,
        "update ops.usage set first_at = now() - interval '1 hour',"
        " settled_at = null, settled_amount = 0 returning meter",
    )
    budget = {row["meter"]: row for row in rows(cloud, "select * from ops.budget")}
    commands = budget["redis_commands"]
    assert commands["free_limit"] == 500_000
    assert commands["used_today"] == used(cloud)["redis_commands"]
    expected = float(commands["used_today"]) * 24 * 30
    assert abs(float(commands["projected_month"]) / expected - 1) < 0.05
    assert abs(float(commands["share"]) / (expected / 500_000) - 1) < 0.05


def test_cost_shows_what_is_counted(cloud: Stack) -> None:
    def run(*words: str) -> Result:
        environment = {"DATABASE_URL": cloud.dsn, "COLUMNS": "80"}
        return CliRunner().invoke(app, ["cost", *words], env=environment)

    shown = run()
    assert shown.exit_code == 0, shown.output
    assert "What is used" in shown.stdout
    assert f"{used(cloud)['redis_commands']:,.0f}" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    # Up for the hour that it is counted: a month of it is a month's machine.
    rows(
        cloud,
        "update ops.usage set amount = 3600 where meter = 'collector_seconds' returning meter",
    )
    document = json.loads(run("--json").stdout)
    meters = {meter["meter"]: meter for meter in document["meters"]}
    assert meters["redis_commands"]["used_today"] == used(cloud)["redis_commands"]
    assert meters["collector_seconds"]["free_limit"] is None
    collector = next(line for line in document["lines"] if line["service"] == "collector")
    assert abs(collector["usd"] - 2.28) < 0.05
    # What a month of it costs depends on where the functions run.
    fly, run_there = (
        json.loads(run("--json", "--functions", host).stdout) for host in ("fly", "cloud-run")
    )
    assert {line["plan"] for line in run_there["lines"]} - {line["plan"] for line in fly["lines"]}

    def says_nothing_is_counted() -> bool:
        # The last report may still be on its way.
        rows(cloud, "delete from ops.usage returning meter")
        return "Nothing is counted yet" in run().stdout

    cloud.wait_for(says_nothing_is_counted, "an empty meter")
