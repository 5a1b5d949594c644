"""Our side, in a process of its own: `python -m bench.engine.ours FOLDER RULES RUNS [STATES]`.

Reads rules.json and columns.npy of the folder. Parses and plans once, as a function does when its
traders change; then evaluates, `RUNS` times, from decoded columns to the list of hits, as at each
close. With STATES, writes all verdicts there. Prints one Measured as JSON.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from bench.engine.market import window_of
from shared.memory import keep_freed_memory
from shared.rules import Plan, Verdicts, build_plan, evaluate, parse_rule

WARM_UP_RUNS = 2


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one process measured. Seconds, bytes, counts."""

    parse_s: float
    plan_s: float
    seconds: list[float]
    hits: int
    conditions: int
    rss_bytes: int
    rss_peak_bytes: int
    rss_imported_bytes: int


def hits_of(verdicts: Verdicts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (rule, symbol) indices of what is true.

    Reads the packed bits: signals are rare, and most words of 64 symbols are empty.
    """
    plan: Plan = verdicts.plan
    words = verdicts.bits[plan.result_negated, plan.result_conditions]
    rules, places = np.nonzero(words)
    found = words[rules, places].view(np.uint8).reshape(-1, 8)
    which, bit = np.nonzero(np.unpackbits(found, axis=1))
    symbols = 64 * places[which] + bit
    real = symbols < len(verdicts.symbols)
    return rules[which][real], symbols[real]


def measure(folder: Path, count: int, runs: int, states: Path | None) -> Measured:
    """Return what it takes to parse, plan and evaluate the first `count` rules."""
    process = psutil.Process()
    imported = process.memory_info().rss
    # As the functions do when they start.
    keep_freed_memory()
    window = window_of(np.load(folder / "columns.npy"))
    texts = msgspec.json.decode((folder / "rules.json").read_bytes(), type=list[str])[:count]
    began = time.perf_counter()
    rules = [parse_rule(text) for text in texts]
    parsed = time.perf_counter()
    plan = build_plan(rules)
    planned = time.perf_counter()
    seconds = []
    for _ in range(WARM_UP_RUNS + runs):
        start = time.perf_counter()
        # As in a function, nothing of one close is alive at the next.
        found, _ = hits_of(evaluate(plan, window))
        seconds.append(time.perf_counter() - start)
    if states is not None:
        np.save(states, evaluate(plan, window).states())
    return Measured(
        parse_s=parsed - began,
        plan_s=planned - parsed,
        seconds=seconds[WARM_UP_RUNS:],
        hits=len(found),
        conditions=plan.conditions_count,
        rss_bytes=process.memory_info().rss,
        rss_peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        rss_imported_bytes=imported,
    )


def main(arguments: list[str]) -> None:
    """Measure and print."""
    folder, count, runs, *rest = arguments
    states = Path(rest[0]) if rest else None
    measured = measure(Path(folder), int(count), int(runs), states)
    sys.stdout.write(msgspec.json.encode(measured).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
