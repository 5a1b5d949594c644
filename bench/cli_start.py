"""How long a person waits for the first output of each command, and for the whole status.

On a terminal (a pseudo-terminal here), from the start of the process to the first byte. The system
is Postgres with our schema and nothing else: commands that ask more are measured until they say so.
"""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

from bench.figures import Figure, machine
from local.run import tell_operator
from tests.stack import Stack

COMMAND = Path(sys.executable).parent / "closebell"
PROMISE_MS = 300.0
RUNS, SHOWN = 7, 8
RULE = "crosses_above(ema(9), ema(21)) and rsi(14) < 60"
SYMBOLS, BARS, HOUR_MS = 3, 500, 3_600_000


def measure() -> list[Figure]:
    """Return the slowest command's median, and the median of a whole status."""
    with tempfile.TemporaryDirectory() as folder, Stack(names=("database",)) as stack:
        _write_klines(Path(folder))
        tell_operator(stack.cloud)
        written = dotenv_values(stack.cloud.state.operator_file)
        environment = {**os.environ, **{name: text or "" for name, text in written.items()}}
        # As after a first start: a machine that may not keep compiled modules is not a person's.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        medians = {
            name: statistics.median(_times_ms((*name.split(), *words), environment, whole=False))
            for name, words in commands(folder).items()
        }
        whole_ms = statistics.median(_times_ms(("status", "--json"), environment, whole=True))
    slowest = sorted(medians, key=lambda name: -medians[name])[:SHOWN]
    shown = ", ".join(f"{name} {medians[name]:.0f}" for name in slowest)
    slowest_ms = max(medians.values())
    return [
        Figure(
            name="cli_first_output",
            value=slowest_ms,
            unit="ms",
            promise=f"< {PROMISE_MS:.0f} ms",
            kept=slowest_ms < PROMISE_MS,
            conditions=f"of {len(medians)} commands, each called (medians of {RUNS}), the slowest:"
            f" {shown}; {machine()}",
        ),
        Figure(
            name="cli_status_answer",
            value=whole_ms,
            unit="ms",
            conditions=f"`closebell status --json`, whole, median of {RUNS}, Postgres here;"
            f" {machine()}",
        ),
    ]


def commands(folder: str) -> dict[str, tuple[str, ...]]:
    """Return the further words of every command; some are refused, which is an output, too."""
    files = ("--files", folder, "--interval", "1h")
    nothing = f"{folder}/nothing"
    return {
        "--help": (),
        "rules check": (RULE,),
        "rules functions": (),
        "rules preview": (RULE, *files),
        "rules explain": (RULE, "S0USDT", *files),
        "rules backtest": (RULE, *files),
        "status": (),
        "doctor": (),
        "schedules list": (),
        "schedules show": ("tick",),
        "schedules pause": ("nothing", "--reason", "bench"),
        "schedules resume": ("nothing",),
        "schedules run": ("nothing",),
        "schedules history": ("tick",),
        "schedules diff": (),
        "schedules apply": ("--dry-run",),
        "runs list": (),
        "runs show": ("latest",),
        "logs": (),
        "incidents list": (),
        "incidents show": ("1",),
        "incidents ack": ("1",),
        "incidents close": ("1",),
        "cost": (),
        "cost plan": (),
        "backup": (f"{folder}/backups",),
        "restore": (nothing, "--verify"),
        "export traders": (f"{folder}/traders",),
        "export signals": (),
        "import traders": (nothing,),
        "deploy": ("--dry-run",),
    }


def _times_ms(words: Sequence[str], environment: Mapping[str, str], *, whole: bool) -> list[float]:
    """Return the ms of each run after a first one, which compiles and fills the disk's cache."""
    return [_time_ms(words, environment, whole=whole) for _ in range(RUNS + 1)][1:]


def _time_ms(words: Sequence[str], environment: Mapping[str, str], *, whole: bool) -> float:
    master, slave = pty.openpty()
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [COMMAND, *words], env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    took_s = 0.0
    while True:
        try:
            os.read(master, 65_536)
        except OSError:  # It has ended.
            break
        took_s = took_s or time.perf_counter() - began_s
    process.wait()
    os.close(master)
    return (time.perf_counter() - began_s if whole else took_s) * 1000


def _write_klines(folder: Path) -> None:
    for symbol in range(SYMBOLS):
        rows = ["time,open,high,low,close,volume"]
        for bar in range(BARS):
            close = 100 + (bar * (symbol + 3)) % 17
            rows.append(
                f"{1_700_000_000_000 // HOUR_MS * HOUR_MS + bar * HOUR_MS},"
                f"{close},{close + 1},{close - 1},{close},{10 + bar % 5}"
            )
        (folder / f"S{symbol}USDT_1h.csv").write_text("\n".join((*rows, "")))
