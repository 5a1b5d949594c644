"""For comparison: TA-Lib's stream handles kept between closes, each fed one new bar.

`python -m bench.peers.talib_handles FOLDER RULES RUNS`.

Not the same task: a handle remembers all bars since it was opened, so that its values are not those
of the last 500 bars once the window has moved on, and a fresh process has none. Here they are
opened on all bars but the last, before the clock, so that this one close can be compared.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from talib import stream

from bench.peers.talib_calls import Floats, answer, load
from bench.peers.talib_once import Engine, Program

Results = dict[tuple[str, int | None, int], Floats]


class HandleEngine(Engine):
    """The same program, its calls being handles."""

    def open(self) -> None:
        """Open every handle on all bars but the last."""
        self.handles: dict[str, list[Any]] = {}
        self.before: Results = {}
        for key, call in self.program.calls.items():
            assert not call.whole, "the rules of the benchmark call nothing of a call"
            open_ = getattr(stream, call.call.name).open_and_fill
            rows = [rows[:, :-1] for rows in self._inputs(call, {})]
            opened = [open_(*parts, *call.call.arguments) for parts in zip(*rows, strict=True)]
            self.handles[key] = [handle for handle, *_ in opened]
            for output, ago in call.outputs:
                if ago:
                    series = [_series(one[1:], output) for one in opened]
                    self.before[key, output, ago] = np.array([s[-ago] for s in series], dtype=float)

    def copies(self) -> dict[str, list[Any]]:
        """Return independent handles at the same bar."""
        return {key: [one.copy() for one in opened] for key, opened in self.handles.items()}

    def step(self, handles: dict[str, list[Any]]) -> NDArray[np.int8]:
        """Feed the last bar to the handles and return the verdicts."""
        results = dict(self.before)
        newest = [column[:, -1].tolist() for column in self.columns]
        for key, call in self.program.calls.items():
            inputs = [newest[place] for place, _ in call.call.inputs]
            made = [handle.update(*bar) for handle, *bar in zip(handles[key], *inputs, strict=True)]
            for output, ago in call.outputs:
                if not ago:
                    last = made if output is None else [one[output] for one in made]
                    results[key, output, 0] = np.array(last, dtype=np.float64)
        return self._states(self._numbers(results))


def _series(filled: Any, output: int | None) -> Floats:
    made = filled[0] if len(filled) == 1 else filled
    series: Floats = made if output is None else made[output]
    return series


def main(folder: Path, rules: int, runs: int) -> None:
    """Open once, step several times from the same bar."""
    formulas, bars = load(folder, rules)
    engine = HandleEngine(Program(formulas), bars)
    engine.open()
    seconds = []
    for _ in range(runs):
        handles = engine.copies()
        began = time.perf_counter()
        states = engine.step(handles)
        seconds.append(time.perf_counter() - began)
    answer(folder, "talib_handles", states, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
