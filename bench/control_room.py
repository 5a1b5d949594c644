"""What managing everything in Postgres costs: a tick with many traders, and reading the schedules.

A private Postgres with every migration of ours. Times are those of a client on the same machine,
so they hold the round trip, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.figures import Figure, machine, percentile
from local.migrate import migrate
from tests.sql.conftest import running_server

TRADERS = 10_000
TICKS = 200
HISTORY_ROWS = 10_000_000
READS = 100
# A row each 5 s of a page of ten: what two months of "every 5 s" would leave.
SCHEDULES = 10

# The operator's seeds of an account, traders on every interval and what makes ticks call out.
_TRADERS = """
insert into auth.users (id, email) values (gen_random_uuid(), 'bench@example.com');
update public.profiles set tier_id = 'elite';
update public.tiers set traders_max = 1000000;
update ops.settings set value = 'http://127.0.0.1:9/functions/v1' where name = 'functions_url';
insert into ops.local_secrets (name, value) values ('function_secret', 'a-secret-of-the-bench');
alter table public.traders disable trigger user;
insert into public.traders
    (user_id, name, rule, venue, "interval", trigger, enabled, enabled_at)
select
    profiles.user_id, 'trader ' || place, 'rsi(14) < 30', 'binance',
    (array['1m', '5m', '15m', '1h', '1d'])[1 + place % 5], 'enter', true, now() - interval '30 days'
from generate_series(1, {traders}) as place
cross join public.profiles;
alter table public.traders enable trigger user;
analyze public.traders;
"""
# As many runs of each schedule, one a second back from now; each 50th fails, each 3rd called out.
_HISTORY = """
insert into ops.schedule_runs
    (schedule, started_at, ended_at, status, error, request_id, http_status, pid)
select
    'job_' || place % {schedules},
    started_at, started_at + interval '12 milliseconds',
    case when place % 50 = 0 then 'failed' else 'succeeded' end,
    case when place % 50 = 0 then 'division by zero' end,
    case when place % 3 = 0 then place end,
    case when place % 3 = 0 then 200 end,
    1
from generate_series({rows}, 1, -1) as place
cross join lateral (
    select now() - make_interval(secs => place::double precision / {schedules})
) as at (started_at);
"""
_NEWEST_SLOTS = "delete from ops.runs where closed_at > now() - interval '2 minutes'"
Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def _database() -> Iterator[Connection]:
    with running_server() as server:
        server.apply_platform("postgres")
        migrate(server.dsn(), schedules=False)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            yield connection


def _times_ms(act: Callable[[], object], before: Callable[[], object], count: int) -> list[float]:
    """Return what `act` took each time, in ms; `before` runs before each and is not timed."""
    times = []
    for _ in range(count):
        before()
        began_s = time.perf_counter()
        act()
        times.append((time.perf_counter() - began_s) * 1000)
    return times


def measure_tick(connection: Connection) -> Figure:
    """Return what a run of the schedule `tick` takes when each interval has a new slot."""
    connection.execute(_TRADERS.format(traders=TRADERS).encode())
    page = [
        {"name": "tick", "timing": "* * * * *", "command": "select ops.tick();", "description": ""}
    ]
    connection.execute("select ops.apply(%s::jsonb)", (json.dumps(page),))
    connection.execute("update cron.job set active = false")
    # The slots of the hours before are there, and done; as many runs as a day leaves.
    connection.execute("select ops.tick()")
    connection.execute(
        "update ops.runs set status = 'finished', finished_at = now(), feed = 'simulated',"
        " frame_revision = 1, complete = true"
    )
    connection.execute("vacuum analyze ops.runs")
    connection.execute("delete from net.http_request_queue")
    times = _times_ms(
        lambda: connection.execute("call ops.run_now('tick')"),
        lambda: connection.execute(_NEWEST_SLOTS),
        TICKS,
    )[TICKS // 10 :]
    row = connection.execute("select count(*) from net.http_request_queue").fetchone()
    assert row == (TICKS,), f"expected every tick to call out, did {row}"
    median_ms = percentile(times, 0.5)
    return Figure(
        name="tick_in_postgres",
        value=median_ms,
        unit="ms",
        promise="< 20 ms",
        kept=median_ms < 20,
        conditions=f"median of {len(times)} runs of the schedule, history row included, each with a"
        f" new slot to open and call for; p95 {percentile(times, 0.95):.1f} ms; {TRADERS:,}"
        f" traders on 5 intervals, {machine()}",
    )


def measure_schedules(connection: Connection) -> Figure:
    """Return what reading ops.schedules takes with a long history behind it."""
    page = [
        {
            "name": f"job_{number}",
            "timing": "*/5 9-17 * * mon-fri",
            "command": "select ops.tick();",
            "description": "",
        }
        for number in range(SCHEDULES)
    ]
    connection.execute("select ops.apply(%s::jsonb)", (json.dumps(page),))
    connection.execute("update cron.job set active = false")
    connection.execute("delete from ops.schedule_runs")
    connection.execute(_HISTORY.format(rows=HISTORY_ROWS, schedules=SCHEDULES).encode())
    connection.execute("vacuum analyze ops.schedule_runs")
    read = "select * from ops.schedules"
    rows = connection.execute(read.encode()).fetchall()
    assert len(rows) == SCHEDULES and all(row[6] is not None for row in rows)
    times = _times_ms(lambda: connection.execute(read.encode()).fetchall(), lambda: None, READS)
    median_ms = percentile(times, 0.5)
    return Figure(
        name="schedules_view",
        value=median_ms,
        unit="ms",
        promise="< 50 ms",
        kept=median_ms < 50,
        conditions=f"median of {READS} reads of ops.schedules, p95"
        f" {percentile(times, 0.95):.1f} ms; {SCHEDULES} schedules, {HISTORY_ROWS:,} rows of run"
        f" history, {machine()}",
    )


def measure() -> list[Figure]:
    """Return what a tick and the view of the schedules take."""
    with _database() as connection:
        return [measure_tick(connection), measure_schedules(connection)]
