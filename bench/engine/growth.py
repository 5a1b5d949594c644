"""Figures without a peer: absolute times, memory, cold start, and how time grows with what."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from bench.engine.formula import formula_of, functions_of
from bench.engine.market import draw_columns
from bench.engine.ours import Measured
from bench.engine.peers import RECURSIONS
from bench.engine.population import calls_of
from bench.engine.workspace import (
    BARS,
    SYMBOLS,
    run,
    run_ours,
    workspace,
    write_columns,
    write_rules,
)
from bench.figures import Figure, machine
from bench.traders import draw_rules

RUNS = 11
COLD_RUNS = 7
MEGABYTE = 1_000_000
# Traders → promised milliseconds.
TIME_PROMISES_MS = {1_000: 30, 10_000: 80, 100_000: 250}
MEMORY_PROMISE_MB = 400
COLD_PROMISE_MS = 600
TRADER_STEPS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
SYMBOL_STEPS = (50, 100, 200, 500, 1_000, 2_000)
# Shares of usual periods: the rarer they are, the more distinct nodes.
POPULAR_STEPS = (1.0, 0.95, 0.85, 0.6, 0.3, 0.0)


def measure() -> list[Figure]:
    """Return times over traders, symbols and nodes, memory at most traders, and a cold start."""
    with workspace() as folder:
        write_columns(folder, draw_columns(BARS, SYMBOLS))
        write_rules(folder, draw_rules(max(TRADER_STEPS)))
        by_traders = {count: run_ours(folder, count, RUNS) for count in TRADER_STEPS}
        figures = [
            *_times(by_traders),
            _memory(max(TRADER_STEPS), by_traders[max(TRADER_STEPS)]),
            _cold(folder),
        ]
        for count, measured in by_traders.items():
            figures.append(_point("traders", count, measured, f"{SYMBOLS} symbols"))
        figures.append(_without_recursions(folder))
        figures += _over_nodes(folder)
        write_rules(folder, draw_rules(1_000))
        for symbols in SYMBOL_STEPS:
            write_columns(folder, draw_columns(BARS, symbols))
            measured = run_ours(folder, 1_000, RUNS)
            figures.append(_point("symbols", symbols, measured, "1,000 traders"))
    return figures


def _without_recursions(folder: Path) -> Figure:
    """Return the time of 1,000 traders none of whom reads ADX, Supertrend or PSAR."""
    drawn = ((rule, functions_of(formula_of(rule))) for rule in draw_rules(2_000))
    rules = [rule for rule, functions in drawn if not functions & RECURSIONS]
    write_rules(folder, rules)
    time_ms, spread = _milliseconds(run_ours(folder, 1_000, RUNS))
    return Figure(
        name="engine_evaluate_001000_traders_without_recursions",
        value=time_ms,
        unit="ms",
        conditions=f"1,000 traders × {SYMBOLS} symbols × {BARS} bars without ADX, Supertrend and "
        f"PSAR; {spread}",
    )


def _over_nodes(folder: Path) -> list[Figure]:
    points = []
    for share in POPULAR_STEPS:
        rules = draw_rules(1_000, popular_share=share)
        calls = len(calls_of(formula_of(rule) for rule in rules))
        write_rules(folder, rules)
        points.append(_point("nodes", calls, run_ours(folder, 1_000, RUNS), "1,000 traders"))
    return points


def _milliseconds(measured: Measured) -> tuple[float, str]:
    times = [1000 * second for second in measured.seconds]
    return statistics.median(times), f"{min(times):.3g}–{max(times):.3g} ms, {len(times)} runs"


def _times(by_traders: dict[int, Measured]) -> list[Figure]:
    figures = []
    for count, promise_ms in TIME_PROMISES_MS.items():
        measured = by_traders[count]
        time_ms, spread = _milliseconds(measured)
        figures.append(
            Figure(
                name=f"engine_evaluate_{count:06}_traders",
                value=time_ms,
                unit="ms",
                promise=f"< {promise_ms} ms",
                kept=time_ms < promise_ms,
                conditions=f"{count:,} traders × {SYMBOLS} symbols × {BARS} bars, decoded columns "
                f"to {measured.hits:,} hits, {spread}; reading the rules once takes "
                f"{measured.parse_s:.2g} s, the plan {measured.plan_s:.2g} s; one thread, "
                f"{machine()}",
            )
        )
    return figures


def _memory(count: int, measured: Measured) -> Figure:
    peak = measured.rss_peak_bytes / MEGABYTE
    return Figure(
        name=f"engine_memory_{count:06}_traders",
        value=peak,
        unit="MB resident at most",
        promise=f"< {MEMORY_PROMISE_MB} MB",
        kept=peak < MEMORY_PROMISE_MB,
        conditions=f"a fresh process that reads, plans and evaluates {count:,} traders × {SYMBOLS} "
        f"symbols; {measured.rss_bytes / MEGABYTE:.0f} MB after, "
        f"{measured.rss_imported_bytes / MEGABYTE:.0f} MB of it imports",
    )


def _cold(folder: Path) -> Figure:
    command = [sys.executable, "-m", "bench.engine.cold", str(folder), "1000"]
    runs = [json.loads(run(command)) for _ in range(COLD_RUNS)]
    totals = [sum(steps.values()) for steps in runs]
    total = statistics.median(totals)
    parts = ", ".join(
        f"{name} {statistics.median(steps[name] for steps in runs):.0f} ms" for name in runs[0]
    )
    return Figure(
        name="engine_cold_start",
        value=total,
        unit="ms",
        promise=f"< {COLD_PROMISE_MS} ms",
        kept=total < COLD_PROMISE_MS,
        conditions=f"fresh interpreter, 1,000 traders × {SYMBOLS} symbols: {parts}; "
        f"{min(totals):.0f}–{max(totals):.0f} ms, {COLD_RUNS} runs, {machine()}",
    )


def _point(axis: str, at: int, measured: Measured, also: str) -> Figure:
    time_ms, spread = _milliseconds(measured)
    return Figure(
        name=f"engine_growth_{axis}_{at:06}",
        value=time_ms,
        unit="ms",
        conditions=f"{also}; {spread}",
    )
