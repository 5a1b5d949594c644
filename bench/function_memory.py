"""The functions' memory: 1,000 traders and some on longer intervals, 500 symbols, warm.

All processes of the functions together, as a host counts them: what they have in memory, pages that
they share once. It decides the size of their machine (fly.toml).
"""

from __future__ import annotations

import time

import psutil
import psycopg

from bench.figures import Figure, machine
from bench.latency import MINUTE_S, TRADERS, make_account, wait_for_run
from shared.market.interval import MINUTE_MS, Interval
from tests.stack import Stack

# A quarter of an hour and more: 5m and 15m bars have closed several times.
CLOSES = 20
MEGABYTE = 1_000_000
MACHINE_MB = 512 * 1.048576


def measure() -> list[Figure]:
    """Return the highest memory of the functions over CLOSES closes."""
    speed = 60 / MINUTE_S
    start_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - 120 * MINUTE_MS
    environment = {
        "VENUE_SPEED": str(speed),
        "VENUE_TIME_SPEED": str(speed),
        "VENUE_START_MS": str(start_ms),
        # Compressed time spends a month in four days.
        "COMMANDS_PER_MONTH_MAX": "100000000",
    }
    sizes: list[float] = []
    with Stack(environment=environment, with_samples=False) as stack:
        make_account(stack)
        root = psutil.Process(stack.supervisor.pids()["functions"])
        with psycopg.connect(stack.dsn, autocommit=True) as database:
            row = database.execute("select coalesce(max(id), 0) from ops.runs").fetchone()
            assert row is not None
            run_id = int(row[0])
            for _ in range(CLOSES):
                run_id = wait_for_run(database, run_id)["id"]
                processes = [root, *root.children(recursive=True)]
                sizes.append(sum(p.memory_full_info().pss for p in processes) / MEGABYTE)
    highest = max(sizes)
    return [
        Figure(
            name="functions_memory",
            value=highest,
            unit="MB resident at most",
            promise="fits a machine of 512 MB",
            kept=highest < MACHINE_MB * 0.85,
            conditions=f"{TRADERS:,} traders on 1m and 40 on longer intervals × 500 symbols × 5"
            f" intervals, {CLOSES} closes, all its processes, shared pages once; {machine()}",
        )
    ]
