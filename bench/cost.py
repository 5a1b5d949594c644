"""What one close, run, signal and open dashboard uses, and what a month of it costs.

Everything runs, in real time: market, collector, cron, functions, Postgres, Redis; 1,000 traders ×
500 symbols × 5 intervals. The system's own meter is read before and after a few minutes. Writes
shared/cost/measured.toml, from which `closebell cost plan` and docs/cost.md are calculated.
"""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from bench.alerts import draw_alerts
from bench.figures import Figure, machine
from shared.cost.commands import plan_commands, slots_per_month
from shared.cost.memory import function_memory_bytes
from shared.cost.plan import (
    COMMANDS_MAX,
    MEASURED,
    Configuration,
    first_intervals,
    load_measured,
    plan_usage,
)
from shared.cost.prices import load_prices, make_bill, plans_for, word
from shared.signing import signed_headers
from tests.account import Account
from tests.stack import Stack

MINUTES = 10
TRADERS = 1_000
SYMBOLS = 500
INTERVALS = ("1m", "5m", "15m", "1h", "1d")
# The closes of a live venue trickle in: the last just before the collector stops waiting for them
# (CLOSE_GRACE_S). Until then a tick waits, and looks at Redis each second.
CLOSE_JITTER_MS = "20-1900"
# Rows of each table, copied, so that pages and indexes are as full as in use.
COPIES = 20_000
# What a dashboard asks when it is opened, and then each minute (dashboard/src/feed.ts and state/).
SIGNAL_COLUMNS = (
    "id,trader_id,run_id,rule_version,venue,instrument,interval,closed_at,trigger,origin,feed,"
    "price,values,frame_revision,data_age_ms,created_at"
)
FEED_QUERY = "feed_status?select=venue,interval,feed,closed_at,complete,missing_count&limit=100"
SNAPSHOT_ROWS = 200
PAGE = Path("dashboard/dist")


def fetch(stack: Stack, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with psycopg.connect(stack.dsn, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def store_traders(stack: Stack) -> Account:
    """Store the traders of one user, evenly over the intervals."""
    account = Account(stack, "owner@example.com", "elite")
    with psycopg.connect(stack.dsn, autocommit=True) as database, database.cursor() as cursor:
        cursor.executemany(
            "insert into public.traders"
            ' (user_id, name, rule, venue, "interval", trigger, enabled, enabled_at)'
            " values (%s, %s, %s, 'binance', %s, 'enter', true, now())",
            [
                (account.user_id, f"trader {n}", rule, INTERVALS[n % len(INTERVALS)])
                for n, rule in enumerate(draw_alerts(TRADERS))
            ],
        )
    return account


def read_meters(stack: Stack) -> dict[str, dict[str, float]]:
    """Return the totals of the collector and the functions, as they are now."""
    # The end of a request makes the report; a slot that is done costs nothing else.
    (slot,) = fetch(
        stack,
        "select ops.to_ms(closed_at) as ms from ops.runs where finished_at is not null"
        " and interval = '1m' order by closed_at desc limit 1",
    )
    for _ in range(2):
        time.sleep(1.2)
        content = {"venue": "binance", "interval": "1m", "closed_at_ms": slot["ms"]}
        body = json.dumps(content).encode()
        headers = signed_headers(stack.cloud.function_secret, int(time.time()), body)
        url = f"{stack.cloud.functions_url}/trigger_executions"
        httpx.post(url, content=body, headers=headers, timeout=30).raise_for_status()
    time.sleep(3)
    fetch(stack, "select ops.count_usage()")
    return {
        row["reporter"].split("-")[0]: {
            name: float(amount) for name, amount in row["totals"].items() if name != "until"
        }
        for row in fetch(stack, "select reporter, totals from ops.usage_reporters")
    }


def bytes_a_row(stack: Stack, table: str, changes: str, condition: str = "true") -> float:
    """Return the bytes of a row of a table with its indexes, from copies of its rows.

    `changes`: what makes the copies of a row differ, as arguments of jsonb_build_object.
    """
    copy = "scratch.copied"
    fetch(stack, "create schema if not exists scratch")
    fetch(stack, f"drop table if exists {copy}")
    fetch(stack, f"create table {copy} (like {table} including all)")
    fetch(
        stack,
        f"insert into {copy} overriding system value"
        f" select (jsonb_populate_record(kept, jsonb_build_object({changes}))).*"
        f" from {table} as kept cross join generate_series(1,"
        f" 1 + {COPIES} / (select count(*) from {table} as kept where {condition})) as n"
        f" where {condition}",
    )
    (size,) = fetch(
        stack,
        f"select pg_total_relation_size('{copy}') as bytes, (select count(*) from {copy}) as rows",
    )
    return float(size["bytes"]) / float(size["rows"])


def reply_bytes(stack: Stack, account: Account, query: str) -> float:
    """Return the bytes of a reply of REST to the user, headers and packed body."""
    headers = {"apikey": stack.cloud.publishable_key, "Authorization": f"Bearer {account.token}"}
    reply = httpx.get(f"{stack.url}/rest/v1/{query}", headers=headers, timeout=30)
    reply.raise_for_status()
    head = sum(len(name) + len(value) + 4 for name, value in reply.headers.raw)
    return float(head + reply.num_bytes_downloaded)


def wait_for_second(second: float) -> None:
    """Wait until that second of a minute."""
    time.sleep((second - time.time()) % 60)


def measure() -> list[Figure]:
    """Write the units, and return what a month of the design's load costs by them."""
    environment = {
        "USAGE_REPORT_S": "1",
        "UNIVERSE_SIZE": str(SYMBOLS),
        "VENUE_CLOSE_JITTER_MS": CLOSE_JITTER_MS,
    }
    with Stack(with_samples=False, environment=environment) as stack:
        account = store_traders(stack)
        stack.wait_for(lambda: "history_complete" in stack.log("collector"), "history", 400)
        # The first runs read all windows: that is counted by itself.
        wait_for_second(40)
        time.sleep(120)
        wait_for_second(40)
        cold = read_meters(stack)
        began = fetch(stack, "select now() as at, max(id) as run_id from ops.runs")[0]
        time.sleep(60 * MINUTES - 30)
        wait_for_second(40)
        warm = read_meters(stack)
        units = _units(stack, account, cold, warm, began)
    _write(units)
    return figures()


def figures() -> list[Figure]:
    """Return the promised figures, calculated from the units that are written."""
    measured, plans = load_measured(), load_prices()
    asked = Configuration(symbols=SYMBOLS, intervals=first_intervals(5), traders=TRADERS)
    usage = plan_usage(asked, measured.units)
    found = []
    for name, host in (("cost_per_month", "cloud-run"), ("cost_per_month_all_on_fly", "fly")):
        bill = make_bill(usage, plans_for(plans, host, function_memory_bytes(asked)))
        first = bill.first
        assert first is not None and first.share is not None
        found.append(
            Figure(
                name=name,
                value=bill.usd,
                unit="USD",
                promise="< 5 USD",
                kept=bill.usd < 5,
                conditions=f"{TRADERS:,} traders × {SYMBOLS} symbols × 5 intervals, functions on "
                f"{host}, {asked.signals_per_trader_day:g} signals a trader a day: "
                f"{bill.arithmetic}; {word(first.meter)} at {first.share:.0%} of what is free; "
                f"units from {measured.conditions}",
            )
        )
    planned = plan_commands(asked.intervals, COMMANDS_MAX)
    counted = measured.units.redis_commands_per_slot * slots_per_month(asked.intervals)
    found.append(
        Figure(
            name="redis_commands_per_month_metered",
            value=counted,
            unit="commands",
            promise="< 500,000",
            kept=counted < COMMANDS_MAX,
            conditions=f"counted by the meter, {measured.units.redis_commands_per_slot:.2f} a "
            f"slot × {slots_per_month(asked.intervals):,.0f} slots; planned: {planned.arithmetic};"
            f" {measured.conditions}",
        )
    )
    return found


def _units(
    stack: Stack,
    account: Account,
    cold: dict[str, dict[str, float]],
    warm: dict[str, dict[str, float]],
    began: dict[str, Any],
) -> dict[str, float]:
    def used(part: str, meter: str) -> float:
        return warm[part].get(meter, 0.0) - cold[part].get(meter, 0.0)

    where = f"id > {began['run_id']} and finished_at is not null"
    (done,) = fetch(
        stack,
        "select count(*) as runs, sum(signals_count) as signals,"
        " avg(coalesce((stats ->> 'evaluate_ms')::float, 0)) as evaluate_ms,"
        " avg((select sum(value::float) from jsonb_each_text(stats) where key like '%_ms'))"
        f" as run_ms, count(distinct closed_at) as minutes from ops.runs where {where}",
    )
    runs, minutes = float(done["runs"]), float(done["minutes"])
    (message,) = fetch(
        stack,
        "select count(*) as n, avg(octet_length(payload::text)) as bytes,"
        " avg(jsonb_array_length(payload -> 'signals')) as signals"
        " from realtime.messages where extension = 'broadcast'",
    )
    (trader,) = fetch(
        stack,
        "select octet_length(ops.list_traders('binance', '1m', 0, 1, null)::text) as bytes,"
        " (select count(*) from public.traders where interval = '1m') as n",
    )
    (base,) = fetch(
        stack,
        "select pg_database_size(current_database()) - sum(pg_total_relation_size(c.oid)) as bytes"
        " from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and n.nspname in ('public', 'ops', 'cron', 'realtime')",
    )
    signal_bytes = float(message["bytes"]) / float(message["signals"])
    newest = f"signals?select={SIGNAL_COLUMNS}&order=id.desc&limit={SNAPSHOT_ROWS}"
    heal = f"signals?select={SIGNAL_COLUMNS}&id=gt.999999999&order=id.desc&limit=500"
    id_shift = "'id', kept.id + n * 1000000"
    slot_shift = f"{id_shift}, 'closed_at', kept.closed_at - n * interval '1 day'"
    return {
        "minutes": minutes,
        "runs": runs,
        "signals": float(done["signals"]),
        "redis_commands_per_slot": (
            used("collector", "redis_commands") + used("functions", "redis_commands")
        )
        / runs,
        "redis_write_bytes_per_symbol": used("collector", "redis_bytes") / runs / SYMBOLS,
        "redis_read_bytes_per_symbol": used("functions", "redis_bytes") / runs / SYMBOLS,
        "invocations_per_minute": (used("functions", "function_invocations") - 2) / minutes,
        "function_seconds_per_minute": used("functions", "function_seconds") / minutes,
        "run_seconds": float(done["run_ms"]) / 1000,
        "evaluate_seconds": float(done["evaluate_ms"]) / 1000,
        "traders_per_run": TRADERS / len(INTERVALS),
        "symbols": SYMBOLS,
        "egress_bytes_per_run": used("functions", "egress_bytes") / runs,
        "listed_trader_bytes": float(trader["bytes"]) / float(trader["n"]),
        "message_bytes": float(message["bytes"]),
        "message_signals": float(message["signals"]),
        "signal_json_bytes": signal_bytes,
        "database_rows_per_run": used("postgres", "database_rows") / runs,
        "database_base_bytes": float(base["bytes"]),
        "stored_signal_bytes": bytes_a_row(stack, "public.signals", slot_shift)
        + bytes_a_row(stack, "ops.outbox", f"{id_shift}, 'signal_id', kept.signal_id + n * 1e6"),
        "stored_run_bytes": bytes_a_row(stack, "ops.runs", slot_shift),
        "stored_log_bytes": bytes_a_row(
            stack, "ops.function_logs", id_shift, "kept.event = 'run_finished'"
        ),
        "stored_trader_bytes": bytes_a_row(stack, "public.traders", id_shift)
        + bytes_a_row(stack, "public.trader_versions", "'trader_id', kept.trader_id + n * 1e6"),
        "stored_message_bytes": bytes_a_row(
            stack, "realtime.messages", "'id', gen_random_uuid()", "kept.extension = 'broadcast'"
        ),
        "stored_job_bytes": bytes_a_row(
            stack, "cron.job_run_details", "'runid', kept.runid + n * 1000000"
        ),
        "dashboard_minute_bytes": reply_bytes(stack, account, heal)
        + 2 * reply_bytes(stack, account, FEED_QUERY),
        "dashboard_open_bytes": reply_bytes(stack, account, newest)
        + reply_bytes(stack, account, "traders?limit=10"),
        "dashboard_page_bytes": sum(
            len(gzip.compress(path.read_bytes())) for path in PAGE.rglob("*") if path.is_file()
        ),
    }


def _write(units: dict[str, float]) -> None:
    conditions = (
        f"{TRADERS:,} traders x {SYMBOLS} symbols x {len(INTERVALS)} intervals, "
        f"{units['minutes']:.0f} minutes in real time, closes {CLOSE_JITTER_MS} ms late, "
        f"everything on {machine()}"
    )
    lines = [
        "# Written by `python -m bench cost`; do not edit. Units are in the names; what each is",
        "# for is said in shared/cost/plan.py.",
        f'measured_on = "{datetime.now(UTC):%Y-%m-%d}"',
        f'conditions = "{conditions}"',
        "",
        "[units]",
        *(f"{name} = {value:.6g}" for name, value in units.items()),
    ]
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text("\n".join((*lines, "")))
