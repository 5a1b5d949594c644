"""Peer: TA-Lib called by every trader for every symbol, as most self-made screeners do.

`python -m bench.peers.talib_loops FOLDER RULES RUNS [eager]`.

Each rule becomes one Python function, as a person would write it: indicators are computed when they
are first needed, each once, and `and` and `or` stop as soon as the answer is certain. With `eager`
all indicators of the rule come first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import talib

from bench.peers.talib_calls import COLUMNS, Formula, answer, call_of, load


class _Writer:
    """Writes one rule as an expression: 1 true, 0 false, -1 unknown."""

    def __init__(self) -> None:
        self.series: dict[str, str] = {}
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def whole(self, formula: Formula) -> str:
        """Return the expression of a whole series (or tuple of them), computed once."""
        if formula[0] == "series":
            return str(formula[1])
        assert formula[0] == "call", formula
        call = call_of(formula)
        inputs = [self.whole(source) for source in call.inputs]
        text = f"talib.{call.name}({', '.join([*inputs, *map(repr, call.arguments)])})"
        name = self.series.setdefault(text, f"s{len(self.series)}")
        once = f"({name} if {name} is not None else ({name} := {text}))"
        return once if call.output is None else f"{once}[{call.output}]"

    def value(self, formula: Formula, ago: int) -> str:
        """Return the expression of the number so many bars ago."""
        match formula:
            case ["number", number]:
                return repr(number)
            case ["lag", operand, bars]:
                return self.value(operand, ago + bars)
            case ["+" | "-" | "*" | "/" as operator, left, right]:
                return f"({self.value(left, ago)} {operator} {self.value(right, ago)})"
        return f"{self.whole(formula)}[{-1 - ago}]"

    def state(self, formula: Formula) -> str:
        """Return the expression of a condition."""
        match formula:
            case ["not", operand]:
                name = self.name()
                return f"({name} if ({name} := {self.state(operand)}) < 0 else 1 - {name})"
            case ["and" | "or" as operator, *operands]:
                certain, else_ = (0, 1) if operator == "and" else (1, 0)
                names = [self.name() for _ in operands]
                tests = [
                    f"{certain} if ({name} := {self.state(operand)}) == {certain} else "
                    for name, operand in zip(names, operands, strict=True)
                ]
                unknown = " or ".join(f"{name} < 0" for name in names)
                return f"({''.join(tests)}-1 if {unknown} else {else_})"
        operator, left, right = formula
        a, b = self.name(), self.name()
        sides = f"({a} := {self.value(left, 0)})", f"({b} := {self.value(right, 0)})"
        return f"(-1 if {sides[0]} != {a} or {sides[1]} != {b} else 1 if {a} {operator} {b} else 0)"


def function_of(formula: Formula, is_eager: bool) -> Callable[..., int]:
    """Return the rule as a function of the eight columns of one symbol."""
    writer = _Writer()
    expression = writer.state(formula)
    first = "".join(
        f"    {name} = {call if is_eager else None}\n" for call, name in writer.series.items()
    )
    text = f"def rule({', '.join(COLUMNS)}):\n{first}    return {expression}\n"
    scope: dict[str, Any] = {"talib": talib}
    exec(compile(text, "rule", "exec"), scope)
    function: Callable[..., int] = scope["rule"]
    return function


def main(folder: Path, rules: int, runs: int, is_eager: bool) -> None:
    """Run all rules on all symbols, several times."""
    formulas, bars = load(folder, rules)
    functions = [function_of(formula, is_eager) for formula in formulas]
    symbols = [tuple(columns) for columns in bars]
    states = np.empty((len(functions), len(symbols)), dtype=np.int8)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        for place, function in enumerate(functions):
            states[place] = [function(*columns) for columns in symbols]
        seconds.append(time.perf_counter() - began)
    answer(folder, "talib_loops", states, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["eager"])
