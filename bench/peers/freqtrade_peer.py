"""Peer: freqtrade's `IStrategy.analyze_ticker`, a strategy a trader, a dataframe a pair.

`python -m bench.peers.freqtrade_peer FOLDER RULES RUNS`.

The rules are written as its documentation writes strategies: populate_indicators makes columns with
talib.abstract, populate_entry_trend sets enter_long where the rule holds. A copy of the pair's
dataframe is made for each call, as its data provider does; that, and making the strategies, is not
counted. It knows true and not true only.
"""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy
from pandas import DataFrame, Series, date_range

from bench.peers.talib_calls import COLUMNS, Floats, Formula, answer, call_of, load

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
PARAMETERS = {
    "MACD": ("fastperiod", "slowperiod", "signalperiod"),
    "BBANDS": ("timeperiod", "nbdevup", "nbdevdn"),
    "STOCH": ("fastk_period", "slowk_period", "slowk_matype", "slowd_period", "slowd_matype"),
    "SAR": ("acceleration", "maximum"),
    "SUPERTREND": ("timeperiod", "multiplier"),
}


class Indicator:
    """One line of populate_indicators: the columns that one TA-Lib call makes."""

    def __init__(self, number: int, formula: Formula) -> None:
        call = call_of(formula)
        self.name = f"indicator_{number}"
        self.function = getattr(ta, call.name)
        names = PARAMETERS.get(call.name, ("timeperiod",))
        self.parameters: dict[str, Any] = dict(zip(names, call.arguments, strict=False))
        # Of several series, TA-Lib takes those of its own names.
        if len(call.inputs) == 1:
            self.parameters["price"] = call.inputs[0][1]

    def add_to(self, dataframe: DataFrame) -> None:
        """Compute it and add its columns."""
        made = self.function(dataframe, **self.parameters)
        if isinstance(made, Series):
            dataframe[self.name] = made
        else:
            for place, column in enumerate(made.columns):
                dataframe[f"{self.name}_{place}"] = made[column]


class Rule(IStrategy):  # type: ignore[misc]
    """One trader's rule as a strategy."""

    timeframe = "1m"
    minimal_roi: ClassVar[dict[str, float]] = {"0": 100.0}
    stoploss = -1.0

    def __init__(self, formula: Formula) -> None:
        super().__init__({"runmode": "live"})
        self.indicators: dict[str, Indicator] = {}
        self.condition = self._condition(formula)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add the columns that the rule reads."""
        for indicator in self.indicators.values():
            indicator.add_to(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Set enter_long where the rule holds."""
        dataframe.loc[self.condition(dataframe), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Set nothing: a rule has no exit."""
        return dataframe

    def _column(self, formula: Formula) -> str:
        if formula[0] == "series":
            return str(formula[1])
        call = call_of(formula)
        key = repr(call._replace(output=None))
        made = self.indicators.setdefault(key, Indicator(len(self.indicators), formula))
        return made.name if call.output is None else f"{made.name}_{call.output}"

    def _value(self, formula: Formula, ago: int = 0) -> Callable[[DataFrame], Any]:
        match formula:
            case ["number", number]:
                return lambda dataframe: number
            case ["lag", operand, bars]:
                return self._value(operand, ago + bars)
            case ["+" | "-" | "*" | "/" as kind, left, right]:
                a, b, join = self._value(left, ago), self._value(right, ago), OPERATIONS[kind]
                return lambda dataframe: join(a(dataframe), b(dataframe))
        name = self._column(formula)
        if ago:
            return lambda dataframe: dataframe[name].shift(ago)
        return lambda dataframe: dataframe[name]

    def _condition(self, formula: Formula) -> Callable[[DataFrame], Any]:
        kind, *parts = formula
        if kind in ("and", "or", "not"):
            conditions = [self._condition(part) for part in parts]
            if kind == "not":
                return lambda dataframe: ~conditions[0](dataframe)
            join = operator.and_ if kind == "and" else operator.or_

            def joined(dataframe: DataFrame) -> Any:
                result = conditions[0](dataframe)
                for condition in conditions[1:]:
                    result = join(result, condition(dataframe))
                return result

            return joined
        a, b, compare = self._value(parts[0]), self._value(parts[1]), OPERATIONS[kind]
        return lambda dataframe: compare(a(dataframe), b(dataframe))


def dataframe_of(columns: Floats) -> DataFrame:
    """Return the dataframe of one pair, as the data provider has it."""
    frame = DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    frame.insert(0, "date", date_range("2026-01-01", periods=len(frame), freq="1min", tz="UTC"))
    return frame


def main(folder: Path, rules: int, runs: int) -> None:
    """Run every strategy on every pair."""
    formulas, bars = load(folder, rules)
    strategies = [Rule(formula) for formula in formulas]
    frames = [dataframe_of(columns) for columns in bars]
    states = np.zeros((len(strategies), len(frames)), dtype=np.int8)
    seconds = []
    for _ in range(runs):
        took = 0.0
        for place, strategy in enumerate(strategies):
            for pair, frame in enumerate(frames):
                copy = frame.copy()
                began = time.perf_counter()
                result = strategy.analyze_ticker(copy, {"pair": f"S{pair}/USDT"})
                took += time.perf_counter() - began
                if "enter_long" in result.columns:
                    states[place, pair] = result["enter_long"].iat[-1] == 1
        seconds.append(took)
    answer(folder, "freqtrade", states, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
