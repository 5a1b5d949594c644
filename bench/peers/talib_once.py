"""Peer: an engine of TA-Lib calls that computes each distinct node once for each symbol.

`python -m bench.peers.talib_once FOLDER RULES RUNS`.

Its best honest way: one call a node and symbol, shared by all rules; of functions without memory
only the bars they look at; the last value by the whole series or by a stream handle opened on it,
whichever was faster in a trial before the clock. Arithmetic and comparisons are vectorised over the
symbols, equal ones made once.
"""

from __future__ import annotations

import json
import operator
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import talib
from numpy.typing import NDArray
from talib import stream

from bench.peers.talib_calls import COLUMNS, Floats, Formula, TalibCall, answer, call_of, load

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
TRIAL_SYMBOLS = 60


class Call:
    """One distinct TA-Lib call, and which of its results the rules look at."""

    def __init__(self, call: TalibCall) -> None:
        self.call = call
        self.outputs: set[tuple[int | None, int]] = set()  # (output, bars ago)
        self.whole: set[int | None] = set()  # outputs that other calls read as a series


class Program:
    """The distinct calls, numbers and conditions of all rules, in an order that can be run."""

    def __init__(self, formulas: list[Formula]) -> None:
        self.calls: dict[str, Call] = {}
        self.numbers: dict[str, Formula] = {}
        self.conditions: dict[str, Formula] = {}
        self.results = [self._condition(formula) for formula in formulas]

    def _condition(self, formula: Formula) -> str:
        kind, *parts = formula
        if kind in ("and", "or", "not"):
            made = [kind, *sorted(self._condition(part) for part in parts)]
        else:
            made = [kind, *(self._number(part, 0) for part in parts)]
        return _keep(self.conditions, made)

    def _number(self, formula: Formula, ago: int) -> str:
        match formula:
            case ["lag", operand, bars]:
                return self._number(operand, ago + bars)
            case ["number", number]:
                return _keep(self.numbers, ["number", number])
            case ["series", name]:
                return _keep(self.numbers, ["column", COLUMNS.index(name), ago])
            case ["call", "change", [source], [n]]:
                return self._number(["-", source, ["lag", source, int(n)]], ago)
            case ["call", "roc", [source], [n]]:
                ratio = ["/", source, ["lag", source, int(n)]]
                return self._number(["*", ["number", 100.0], ["-", ratio, ["number", 1.0]]], ago)
            case ["call", *_]:
                key, output = self._call(formula)
                self.calls[key].outputs.add((output, ago))
                return _keep(self.numbers, ["result", key, output, ago])
        kind, left, right = formula
        return _keep(self.numbers, [kind, self._number(left, ago), self._number(right, ago)])

    def _call(self, formula: Formula) -> tuple[str, int | None]:
        call = call_of(formula)
        inputs = []
        for source in call.inputs:
            if source[0] == "call":
                key, output = self._call(source)
                self.calls[key].whole.add(output)
                inputs.append([key, output])
            else:
                inputs.append([COLUMNS.index(source[1]), None])
        # Both lines of a stochastic come from one call where the smoothing allows.
        key = json.dumps([call.name, inputs, call.arguments])
        self.calls.setdefault(key, Call(call._replace(inputs=inputs)))
        return key, call.output


def _keep(found: dict[str, Formula], made: Formula) -> str:
    key = json.dumps(made)
    found.setdefault(key, made)
    return key


Rows = list[tuple[Floats, ...]]
Way = Callable[[list[Floats]], dict[tuple[int | None, int], Floats]]


def ways(call: Call) -> list[Way]:
    """Return the ways to compute the wanted values of a call: float64[symbols] each.

    Each takes the inputs as float64[symbols, bars].
    """
    function = getattr(talib, call.call.name)
    arguments = call.call.arguments
    wanted = sorted(call.outputs, key=repr)
    far = max(ago for _, ago in wanted)

    def series(inputs: list[Floats]) -> dict[tuple[int | None, int], Floats]:
        if len(wanted) == 1:
            ((output, ago),) = wanted
            if output is None:
                last = [function(*rows, *arguments)[-1 - ago] for rows in zip(*inputs, strict=True)]
            else:
                last = [
                    function(*rows, *arguments)[output][-1 - ago]
                    for rows in zip(*inputs, strict=True)
                ]
            return {wanted[0]: np.array(last, dtype=np.float64)}
        made = [function(*rows, *arguments) for rows in zip(*inputs, strict=True)]
        return {
            (output, ago): np.array(
                [(one if output is None else one[output])[-1 - ago] for one in made],
                dtype=np.float64,
            )
            for output, ago in wanted
        }

    def sliced(inputs: list[Floats]) -> dict[tuple[int | None, int], Floats]:
        assert call.call.look is not None
        bars = call.call.look + far
        return series([np.ascontiguousarray(rows[:, -bars:]) for rows in inputs])

    def handles(inputs: list[Floats]) -> dict[tuple[int | None, int], Floats]:
        open_ = getattr(stream, call.call.name)
        last = [open_(*rows, *arguments).value for rows in zip(*inputs, strict=True)]
        return {
            (output, 0): np.array(
                last if output is None else [one[output] for one in last], dtype=np.float64
            )
            for output, _ in wanted
        }

    found: list[Way] = [series]
    if call.call.look is not None and not call.call.name.startswith("CDL"):
        found.append(sliced)
    if far == 0:
        found.append(handles)
    return found


class Engine:
    """Carries out a program on bars, float64[symbols, 8, bars]."""

    def __init__(self, program: Program, bars: Floats) -> None:
        self.program = program
        # Contiguous series of each column: what TA-Lib reads fastest.
        self.columns = [np.ascontiguousarray(bars[:, place]) for place in range(len(COLUMNS))]
        self.chosen: dict[str, Way] = {}
        for key, call in program.calls.items():
            if not call.whole:
                inputs = [rows[:TRIAL_SYMBOLS] for rows in self._inputs(call, {})]
                self.chosen[key] = min(ways(call), key=lambda way: _trial(way, inputs))

    def _inputs(self, call: Call, series: dict[tuple[str, int | None], Floats]) -> list[Floats]:
        return [
            self.columns[source] if isinstance(source, int) else series[source, output]
            for source, output in call.call.inputs
        ]

    def run(self) -> NDArray[np.int8]:
        """Return the verdicts, int8[rules, symbols]."""
        results: dict[tuple[str, int | None, int], Floats] = {}
        series: dict[tuple[str, int | None], Floats] = {}
        for key, call in self.program.calls.items():
            inputs = self._inputs(call, series)
            if key in self.chosen:
                for (output, ago), values in self.chosen[key](inputs).items():
                    results[key, output, ago] = values
                continue
            self._run_whole(key, call, inputs, series)
            for output, ago in call.outputs:
                results[key, output, ago] = series[key, output][:, -1 - ago]
        return self._states(self._numbers(results))

    def _run_whole(
        self,
        key: str,
        call: Call,
        inputs: list[Floats],
        series: dict[tuple[str, int | None], Floats],
    ) -> None:
        function = getattr(talib, call.call.name)
        made = [function(*rows, *call.call.arguments) for rows in zip(*inputs, strict=True)]
        for output in call.whole | {output for output, _ in call.outputs}:
            series[key, output] = np.array([m if output is None else m[output] for m in made])

    def _numbers(self, results: dict[tuple[str, int | None, int], Floats]) -> dict[str, Any]:
        numbers: dict[str, Any] = {}
        with np.errstate(all="ignore"):
            for key, made in self.program.numbers.items():
                match made:
                    case ["number", number]:
                        numbers[key] = number
                    case ["column", place, ago]:
                        numbers[key] = self.columns[place][:, -1 - ago]
                    case ["result", call, output, ago]:
                        numbers[key] = results[call, output, ago]
                    case [kind, left, right]:
                        numbers[key] = OPERATIONS[kind](numbers[left], numbers[right])
        return numbers

    def _states(self, numbers: dict[str, Any]) -> NDArray[np.int8]:
        known = {key: np.isfinite(values) for key, values in numbers.items()}
        pairs: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}  # true, false
        for key, made in self.program.conditions.items():
            kind, *parts = made
            if kind == "not":
                pairs[key] = pairs[parts[0]][::-1]
            elif kind in ("and", "or"):
                joined = [pairs[part] for part in parts]
                certain, rest = (1, 0) if kind == "and" else (0, 1)
                both = [
                    np.logical_and.reduce([pair[rest] for pair in joined]),
                    np.logical_or.reduce([pair[certain] for pair in joined]),
                ]
                pairs[key] = (both[0], both[1]) if kind == "and" else (both[1], both[0])
            else:
                left, right = parts
                true = OPERATIONS[kind](numbers[left], numbers[right])
                pairs[key] = (true, known[left] & known[right] & ~true)
        true = np.array([pairs[key][0] for key in self.program.results])
        false = np.array([pairs[key][1] for key in self.program.results])
        return (2 * true.view(np.int8) + false.view(np.int8) - np.int8(1)).astype(np.int8)


def _trial(way: Way, inputs: list[Floats]) -> float:
    took = []
    for _ in range(3):
        began = time.perf_counter()
        try:
            way(inputs)
        except talib.InsufficientHistory:  # type: ignore[attr-defined]
            return float("inf")
        took.append(time.perf_counter() - began)
    return min(took)


def main(folder: Path, rules: int, runs: int) -> None:
    """Compile once, run several times."""
    formulas, bars = load(folder, rules)
    engine = Engine(Program(formulas), bars)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        states = engine.run()
        seconds.append(time.perf_counter() - began)
    answer(folder, "talib_once", states, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
