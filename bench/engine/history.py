"""A backtest of one rule: its verdicts at 500 closes of 500 symbols, each on the 500 bars before.

`python -m bench.engine.history RUNS` measures in this process and prints seconds by rule.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from bench.engine.market import draw_columns, window_of
from bench.engine.workspace import BARS, SYMBOLS, run
from bench.figures import Figure, machine

RUNS = 5
# A rule that takes longer than this altogether is not repeated again.
ENOUGH_S = 20.0
PROMISE_MS = 300
RULES = {
    "rsi": "rsi(14) < 30 and close > ema(200)",
    "cross": "crosses_above(ema(9), ema(21)) and volume > 2 * sma(volume, 20)",
    "breakout": "close > highest(20)[1] and volume > 3 * sma(volume, 50)",
    "bands": "close < bb_lower(20, 2) and rsi(14) < 35",
    "macd": "crosses_above(macd(12, 26, 9), macd_signal(12, 26, 9)) and close > sma(200)",
}
# Those that cannot be one product: extremes over many bars, recursions with a state.
SLOW_RULES = {
    "stochastic": "crosses_above(stoch_k(14, 3), stoch_d(14, 3, 3)) and stoch_k(14, 3) < 20",
    "strength": "adx(14) > 25 and plus_di(14) > minus_di(14)",
    "oscillators": "mfi(14) < 20 and cci(20) < -100 and willr(14) < -80",
    "supertrend": "crosses_above(close, supertrend(10, 3))",
    "psar": "crosses_above(close, psar(0.02, 0.2))",
    "extremes": "close > highest(200)[1] or close < lowest(200)[1]",
}


def main(runs: int) -> None:
    """Measure every rule and print."""
    from shared.memory import keep_freed_memory
    from shared.rules import build_plan, evaluate_closes, parse_rule

    keep_freed_memory()

    window = window_of(draw_columns(2 * BARS - 1, SYMBOLS))
    closes = range(BARS - 1, window.bars)
    found: dict[str, list[float]] = {}
    for name, text in (RULES | SLOW_RULES).items():
        plan = build_plan([parse_rule(text)])
        found[name] = []
        while len(found[name]) < runs and sum(found[name]) < ENOUGH_S:
            began = time.perf_counter()
            for verdicts in evaluate_closes(plan, window, closes):
                verdicts.state(0)
            found[name].append(time.perf_counter() - began)
    sys.stdout.write(json.dumps(found) + "\n")


def measure() -> list[Figure]:
    """Return the time of each rule's backtest."""
    command = [sys.executable, "-m", "bench.engine.history", str(RUNS)]
    found: dict[str, list[float]] = json.loads(run(command))
    return [_figure(name, (RULES | SLOW_RULES)[name], seconds) for name, seconds in found.items()]


def _figure(name: str, rule: str, seconds: list[float]) -> Figure:
    times_ms = [1000 * second for second in seconds]
    median_ms = statistics.median(times_ms)
    return Figure(
        name=f"engine_backtest_{'slow_' if name in SLOW_RULES else ''}{name}",
        value=median_ms,
        unit="ms",
        promise=f"< {PROMISE_MS} ms",
        kept=median_ms < PROMISE_MS,
        conditions=f"`{rule}` at {BARS} closes of {SYMBOLS} symbols; "
        f"{min(times_ms):.3g}–{max(times_ms):.3g} ms, {len(seconds)} runs, one thread, {machine()}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
