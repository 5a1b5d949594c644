"""A second, slow evaluator: one symbol, one bar, one number at a time, in plain Python.

Written from the definitions, not from shared/rules; it shares the checked tree with it and
nothing else.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.market.kline import COLUMNS
from shared.rules import tree

WINDOW_BARS = 500


class CloseCallError(Exception):
    """Two sides of a comparison differ by less than two ways of rounding may."""


class Reference:
    """Verdicts for one symbol at the last bar of float64[8, bars]."""

    def __init__(self, columns: NDArray[np.float64]) -> None:
        self.columns = columns[:, -WINDOW_BARS:].tolist()
        self.bars = len(self.columns[0])
        self.memo: dict[tuple[tree.Node, int], float | None] = {}

    def state(self, node: tree.Node, ago: int = 0) -> bool | None:
        """Return true, false, or None for unknown."""
        match node:
            case tree.Comparison():
                return self.compare(node, ago)
            case tree.Not(operand=operand):
                state = self.state(operand, ago)
                return None if state is None else not state
            case tree.AllOf(operands=operands):
                states = [self.state(operand, ago) for operand in operands]
                return False if False in states else None if None in states else True
            case tree.AnyOf(operands=operands):
                states = [self.state(operand, ago) for operand in operands]
                return True if True in states else None if None in states else False
            case tree.Lag(operand=operand, bars=bars):
                return self.state(operand, ago + bars)
            case tree.Call(name="crosses_above"):
                return self.crosses(node, "<=", ">", ago)
            case tree.Call(name="crosses_below"):
                return self.crosses(node, ">=", "<", ago)
        raise AssertionError(node)

    def crosses(self, node: tree.Call, before: str, now: str, ago: int) -> bool | None:
        a, b = node.sources
        return self.state(
            tree.AllOf((tree.Lag(tree.Comparison(before, a, b), 1), tree.Comparison(now, a, b))),
            ago,
        )

    def compare(self, node: tree.Comparison, ago: int) -> bool | None:
        a, b = self.value(node.left, ago), self.value(node.right, ago)
        if a is None or b is None:
            return None
        if a != b and abs(a - b) <= 1e-7 * max(abs(a), abs(b), 1e-9):
            raise CloseCallError
        match node.operator:
            case "<":
                return a < b
            case "<=":
                return a <= b
            case ">":
                return a > b
            case ">=":
                return a >= b
            case "==":
                return a == b
        return a != b

    def value(self, node: tree.Node, ago: int) -> float | None:
        """Return a number, or None for unknown."""
        if ago >= self.bars:
            return None
        if (node, ago) not in self.memo:
            value = self.compute(node, ago)
            self.memo[node, ago] = value if value is not None and math.isfinite(value) else None
        return self.memo[node, ago]

    def compute(self, node: tree.Node, ago: int) -> float | None:
        match node:
            case tree.Number(value=value):
                return value
            case tree.Series(name=name):
                return self.series(name, ago)
            case tree.Negative(operand=operand):
                positive = self.value(operand, ago)
                return None if positive is None else -positive
            case tree.Lag(operand=operand, bars=bars):
                return self.value(operand, ago + bars)
            case tree.Arithmetic(operator=operator, left=left, right=right):
                return arithmetic(operator, self.value(left, ago), self.value(right, ago))
            case tree.Call(name=name):
                sources, periods = node.sources, node.periods
                if name in ("abs", "max", "min"):
                    values = [self.value(source, ago) for source in sources]
                    known = [value for value in values if value is not None]
                    if len(known) < len(values):
                        return None
                    return abs(known[0]) if name == "abs" else {"max": max, "min": min}[name](known)
                return self.over_bars(name, sources[0], int(periods[0]), ago)
        raise AssertionError(node)

    def series(self, name: str, ago: int) -> float | None:
        if name not in COLUMNS:
            parts = {"hl2": "high low", "hlc3": "high low close", "ohlc4": "open high low close"}
            values = [self.series(part, ago) for part in parts[name].split()]
            known = [value for value in values if value is not None]
            return sum(known) / len(known) if len(known) == len(values) else None
        column = self.columns[COLUMNS.index(name)]
        since = column[self.bars - 1 - ago :]
        return column[self.bars - 1 - ago] if all(map(math.isfinite, since)) else None

    def run(self, node: tree.Node, ago: int) -> list[float]:
        """Return the known values in a row that end `ago` bars ago, oldest first."""
        values: list[float] = []
        while (value := self.value(node, ago + len(values))) is not None:
            values.append(value)
            if ago + len(values) >= self.bars:
                break
        return values[::-1]

    def over_bars(self, name: str, source: tree.Node, n: int, ago: int) -> float | None:
        if name in ("change", "roc"):
            now, before = self.value(source, ago), self.value(source, ago + n)
            if now is None or before is None:
                return None
            if name == "change":
                return now - before
            return None if before == 0 else 100 * (now / before - 1)
        run = self.run(source, ago)
        if name == "rsi":
            steps = [b - a for a, b in pairwise(run)]
            up = smoothed([max(step, 0.0) for step in steps], n, 1 / n)
            down = smoothed([max(-step, 0.0) for step in steps], n, 1 / n)
            if up is None or down is None:
                return None
            return 100 * up / (up + down) if up + down else 0.0
        if len(run) < n:
            return None
        match name:
            case "sma":
                return mean(run[-n:])
            case "ema":
                return smoothed(run, n, 2 / (n + 1))
            case "rma":
                return smoothed(run, n, 1 / n)
            case "highest":
                return max(run[-n:])
        return min(run[-n:])


def mean(values: list[float]) -> float:
    return float(sum(map(Fraction, values)) / len(values))


def smoothed(values: list[float], n: int, alpha: float) -> float | None:
    if len(values) < n:
        return None
    average = mean(values[:n])
    for value in values[n:]:
        average += alpha * (value - average)
    return average


def arithmetic(operator: str, a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return None if b == 0 else a / b
