"""The functions' memory: 1,000 traders and some on longer intervals, 500 symbols, warm.

All that their process has in memory, libraries in full, with the packages of its image: it decides
the size of their machine (fly.toml).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

from bench.figures import Figure, machine
from bench.latency import MINUTE_S, TRADERS, make_account, wait_for_run
from shared.market.interval import MINUTE_MS, Interval
from tests.stack import Stack

# A quarter of an hour and more: 5m and 15m bars have closed several times.
CLOSES = 20
MEGABYTE = 1_000_000
# A machine of 256 MB, of which the kernel and Fly's own process take 40.
MACHINE_MB = 256 * 1.048576 - 40
# Of the developer's packages, what others import if it is there. Not in the image.
HIDDEN = ("rich", "pygments")
# What the image has compiled.
COMPILED = ("functions_framework._cli", "uvicorn.lifespan.on", "functions.wiring")


def image_environment(folder: Path) -> dict[str, str]:
    """Return variables with which Python imports what the image has, compiled as it is there."""
    for name in HIDDEN:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise ImportError('not in the image')\n")
    environment = {
        "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    # What is compiled at the start leaves its memory behind: a tenth of it all.
    command = [sys.executable, "-c", f"import {', '.join(COMPILED)}"]
    subprocess.run(command, env={**os.environ, **environment}, check=True)
    return environment


def measure() -> list[Figure]:
    """Return the highest memory of the functions over CLOSES closes."""
    with tempfile.TemporaryDirectory(prefix="closebell-bench-") as folder:
        return _measure(image_environment(Path(folder)))


def _measure(python: dict[str, str]) -> list[Figure]:
    speed = 60 / MINUTE_S
    start_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - 120 * MINUTE_MS
    environment = {
        **python,
        "VENUE_SPEED": str(speed),
        "VENUE_TIME_SPEED": str(speed),
        "VENUE_START_MS": str(start_ms),
        # Compressed time spends a month in four days.
        "COMMANDS_PER_MONTH_MAX": "100000000",
    }
    sizes: list[float] = []
    with Stack(environment=environment, with_samples=False) as stack:
        make_account(stack)
        process = psutil.Process(stack.supervisor.pids()["functions"])
        assert not process.children(), "the functions are one process"
        with psycopg.connect(stack.dsn, autocommit=True) as database:
            row = database.execute("select coalesce(max(id), 0) from ops.runs").fetchone()
            assert row is not None
            run_id = int(row[0])
            for _ in range(CLOSES):
                run_id = wait_for_run(database, run_id)["id"]
                sizes.append(process.memory_info().rss / MEGABYTE)
    highest = max(sizes)
    traders = f"{TRADERS:,} traders on 1m and 40 on longer intervals × 500 symbols × 5 intervals"
    return [
        Figure(
            name="functions_memory",
            value=highest,
            unit="MB resident at most",
            promise="fits a machine of 256 MB (40 of them the system's)",
            kept=highest < MACHINE_MB,
            conditions=f"{traders}, {CLOSES} closes, libraries in full; {machine()}",
        ),
    ]
