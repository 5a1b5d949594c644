"""The log on the command line: how soon a line is followed, how fast 100,000 are searched.

The command runs as a person runs it: a process of its own, its output on a terminal (a pty).
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from bench.figures import Figure, machine, percentile
from tests.integration.terminal import Terminal
from tests.stack import Stack

COMMAND = str(Path(sys.executable).parent / "closebell")
LINES = 100_000
FOLLOWED = 200
RUNS = 11
# Lines a second beside the ones that are timed: the busiest minute of a large installation.
BESIDE_PER_S = 20

# A week of lines as the functions and the collector write them, a few bytes more each.
FILL = """
    insert into ops.function_logs
        (logged_at, source, level, event, run_id, symbol, line_key, fields)
    select
        now() - make_interval(secs => 604800.0 * (1 - n / %(lines)s::float8)),
        (array['execute_traders', 'trigger_executions', 'collector'])[1 + n %% 3],
        case when n %% 777 = 0 then 'error' when n %% 50 = 0 then 'warn' else 'info' end,
        (array['run_finished', 'slot_started', 'stream_connected'])[1 + n %% 3],
        n / 2,
        case when n %% 3 = 2 then 'S' || n %% 500 || 'USDT' end,
        gen_random_uuid(),
        jsonb_build_object(
            'late', false,
            'stats', jsonb_build_object('emit_ms', 67.8 + n %% 13, 'load_ms', 0, 'claim_ms', 93.1),
            'attempt', 1,
            'interval', '1m',
            'closed_at_ms', 1795283880000 + n * 60000::bigint,
            'errors_count', 0,
            'signals_count', n %% 17,
            'text', case when n %% 5000 = 0 then 'a needle in the hay' else 'hay' end
        )
    from generate_series(1, %(lines)s) as n
"""
WRITE = """
    select public.write_logs(jsonb_build_array(jsonb_build_object(
        'source', 'execute_traders', 'level', 'info', 'event', %s::text,
        'line_key', gen_random_uuid()
    )))
"""
FILTERS: tuple[tuple[str, ...], ...] = (
    ("--grep", "needle", "-n", "1000"),
    ("--grep", "signals_count=1[0-6].*needle", "-n", "1000"),
    ("--exclude", "hay", "-n", "1000"),
    ("--level", "error", "-n", "1000"),
    ("--symbol", "S17USDT", "-n", "1000"),
    ("collector", "--level", "warn", "--since", "2d", "-n", "1000"),
    ("--run", "777"),
)


def measure() -> list[Figure]:
    """Return the delay of a follower, the time of the slowest filter, and of the first line."""
    with Stack(names=("database",), with_samples=False) as stack:
        environment = {"DATABASE_URL": stack.dsn, "COLUMNS": "120"}
        with psycopg.connect(stack.dsn, autocommit=True) as db:
            db.execute(FILL, {"lines": LINES})
            # Stored at once, a week of lines has filled today's room.
            db.execute("delete from ops.log_days")
            db.execute("vacuum analyze ops.function_logs")
        delays_ms = follow_delays_ms(stack, environment)
        filters_ms = {words: run_ms(("logs", *words), environment) for words in FILTERS}
        first_ms = [first_output_ms(("logs", "-n", "20"), environment) for _ in range(RUNS)]
        runs_ms = [first_output_ms(("runs", "list"), environment) for _ in range(RUNS)]
        before_s = _processor_s()
        run_ms(("logs", "-n", "20"), environment)
        processor_ms = (_processor_s() - before_s) / RUNS * 1000
    slowest = max(filters_ms, key=lambda words: filters_ms[words])
    p95_ms, first = percentile(delays_ms, 0.95), statistics.median(first_ms)
    runs = statistics.median(runs_ms)
    return [
        Figure(
            name="logs_follow_delay_p50",
            value=percentile(delays_ms, 0.5),
            unit="ms",
            conditions=f"{FOLLOWED} lines; see logs_follow_delay_p95",
        ),
        Figure(
            name="logs_follow_delay_p95",
            value=p95_ms,
            unit="ms",
            promise="< 1 s",
            kept=p95_ms < 1000,
            conditions=(
                f"write_logs begun → the line on a terminal of `closebell logs -f`, {FOLLOWED}"
                f" lines among {BESIDE_PER_S} others a second, {LINES:,} lines stored; a function"
                f" waits up to 300 ms for more lines before it writes; {machine()}"
            ),
        ),
        Figure(
            name="logs_filter_100000_lines",
            value=filters_ms[slowest],
            unit="ms",
            promise="< 1 s",
            kept=filters_ms[slowest] < 1000,
            conditions=(
                f"the whole command, the slowest of {len(FILTERS)} filters (logs"
                f" {' '.join(slowest)}), median of {RUNS} runs, {LINES:,} lines stored;"
                f" {machine()}"
            ),
        ),
        Figure(
            name="logs_first_output",
            value=first,
            unit="ms",
            promise="< 300 ms",
            kept=first < 300,
            conditions=(
                f"start of `closebell logs` → first line, median of {RUNS}; {processor_ms:.0f} ms"
                f" of it are the command's own processor time; {machine()}"
            ),
        ),
        Figure(
            name="runs_first_output",
            value=runs,
            unit="ms",
            promise="< 300 ms",
            kept=runs < 300,
            conditions=f"start of `closebell runs list` → first line, median of {RUNS};"
            f" {machine()}",
        ),
    ]


def follow_delays_ms(stack: Stack, environment: dict[str, str]) -> list[float]:
    """Return how long each of FOLLOWED lines took from being written to the screen."""
    stop = threading.Event()

    def write_beside() -> None:
        with psycopg.connect(stack.dsn, autocommit=True) as db:
            while not stop.wait(1 / BESIDE_PER_S):
                db.execute(WRITE, ["line_beside"])

    delays_ms = []
    beside = threading.Thread(target=write_beside)
    with (
        psycopg.connect(stack.dsn, autocommit=True) as db,
        Terminal([COMMAND, "logs", "-f", "-n", "1"], environment) as terminal,
    ):
        terminal.wait_for("Z")
        beside.start()
        try:
            for number in range(FOLLOWED):
                began_s = time.monotonic()
                db.execute(WRITE, [f"line_{number}_timed"])
                delays_ms.append((terminal.wait_for(f"line_{number}_timed") - began_s) * 1000)
        finally:
            stop.set()
            beside.join()
    return delays_ms


def run_ms(words: Sequence[str], environment: dict[str, str]) -> float:
    """Return the median time of a command, from its start to its end."""
    durations_ms = []
    for _ in range(RUNS):
        began_s = time.monotonic()
        subprocess.run(
            [COMMAND, *words], env=os.environ | environment, stdout=subprocess.DEVNULL, check=True
        )
        durations_ms.append((time.monotonic() - began_s) * 1000)
    return statistics.median(durations_ms)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def first_output_ms(words: Sequence[str], environment: dict[str, str]) -> float:
    """Return the time from a command's start to the first line on its terminal."""
    began_s = time.monotonic()
    with Terminal([COMMAND, *words], environment) as terminal:
        return (terminal.wait_for("\n") - began_s) * 1000
