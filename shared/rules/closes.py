"""Verdicts at many closes of one window: a backtest, a late catch-up.

Each is equal, bit for bit, to evaluating a window that ends at that close; but what the windows
have in common is computed once, for some tens of closes at a time. Rows of values lie as
float64[rows, closes, padded symbols], so that everything but the rows' first making is the code of
a single close. Not here: how windows share series and products (stretch, sliding, shifts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import weights
from shared.rules.bars import Indices
from shared.rules.evaluate import bits_of, check_interval, evaluate
from shared.rules.filling import fill_derived, fill_held
from shared.rules.kernels import Floats
from shared.rules.program import Plan, Table
from shared.rules.stretch import Stretch
from shared.rules.symbols import symbols_of
from shared.rules.verdicts import Verdicts

# Bars from the first to the last close that share one run of the steps.
_BARS_AT_ONCE = 512
# Values that are held at once (8 bytes each), and closes.
_VALUES_AT_ONCE = 1 << 21
_CLOSES_AT_ONCE = 64


def evaluate_closes(
    plan: Plan,
    window: Window,
    closes: Sequence[int],
    *,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
) -> Iterator[Verdicts]:
    """Yield the verdicts at the closes of some bars of the window: their indices, rising.

    Each is equal, bit for bit, to `evaluate` on the window that ends there; `longer` as there. Keep
    few of them: tens share one block of memory.
    Raises: ValueError if the plan was made for another interval.
    """
    check_interval(plan, window)
    if any(_looks_around(table) for table in plan.tables):
        for close in closes:
            yield evaluate(plan, window, window.bars - 1 - close, longer=longer)
        return
    padded = weights.padded_symbols(len(window.symbols))
    at_once = _VALUES_AT_ONCE // (max(plan.rows_count, 1) * padded)
    at_once = min(max(at_once, 1), _CLOSES_AT_ONCE)
    for stretch in _stretches(closes):
        # Unknown is carried as NaN and overflow made NaN; numpy's flags would only repeat that.
        with np.errstate(all="ignore"):
            run = _Run(plan, window, longer, stretch)
        for start in range(0, len(stretch), at_once):
            with np.errstate(all="ignore"):
                verdicts = run.verdicts(stretch[start : start + at_once])
            yield from verdicts


def _looks_around(table: Table) -> bool:
    """Return whether series of a table read other symbols or other intervals at every bar."""
    return any(step.operation in ("held", "pick") or step.across for step in table.steps)


def _stretches(closes: Sequence[int]) -> Iterator[Indices]:
    ends = np.asarray(closes, dtype=np.int64)
    start = 0
    while start < len(ends):
        stop = int(np.searchsorted(ends, ends[start] + _BARS_AT_ONCE))
        yield ends[start:stop]
        start = stop


class _Run:
    """The tables of a plan over a stretch of closes."""

    def __init__(
        self, plan: Plan, window: Window, longer: Mapping[Interval, Window], closes: Indices
    ) -> None:
        self._plan = plan
        self._window = window
        self._longer = longer
        padded = weights.padded_symbols(len(window.symbols))
        self._symbols = symbols_of(window.symbols, padded, plan.universes)
        self._stretches = [self._stretch(table, closes) for table in plan.tables]

    def _stretch(self, table: Table, closes: Indices) -> Stretch:
        ends_ms = self._closed_at_ms(closes[[0, -1]])
        for longer in table.chain:
            ends_ms = _floored(ends_ms, longer)
        interval = table.chain[-1] if table.chain else self._window.interval
        window = self._longer.get(interval) if table.chain else self._window
        first, last = ends_ms.tolist()
        return Stretch(table, interval, window, self._window.symbols, (first, last))

    def _closed_at_ms(self, closes: Indices) -> Indices:
        result: Indices = self._window.open_times_ms[closes] + self._window.interval.duration_ms
        return result

    def verdicts(self, closes: Indices) -> list[Verdicts]:
        """Return the verdicts at some of the closes."""
        values = self._values(0, self._closed_at_ms(closes))
        rows, count, padded = values.shape
        bits = bits_of(self._plan, values.reshape(rows, count * padded))
        bits = bits.reshape(2, self._plan.conditions_count, count, padded // 64)
        return [
            Verdicts(
                plan=self._plan,
                window=self._window,
                longer=self._longer,
                end=close + 1,
                rows=values[:, place],
                bits=bits[:, :, place],
            )
            for place, close in enumerate(closes.tolist())
        ]

    def _values(self, number: int, closed_at_ms: Indices) -> Floats:
        """Return the rows of a table at closes of its bars, float64[rows, closes, padded]."""
        stretch = self._stretches[number]
        rows, padded = stretch.table.rows_count, self._symbols.padded
        ends = stretch.ends(closed_at_ms)
        there = ends >= 0
        values = np.empty((rows, int(there.sum()), padded))
        if values.shape[1]:
            self._fill(stretch, ends[there], closed_at_ms[there], values)
        if there.all():
            return values
        result = np.full((rows, len(ends), padded), np.nan)
        result[:, there] = values
        return result

    def _fill(self, stretch: Stretch, ends: Indices, at_ms: Indices, values: Floats) -> None:
        stretch.fill(ends, values)
        for helds in stretch.table.helds:
            longer = self._stretches[helds.table].interval
            distinct, place = np.unique(_floored(at_ms, longer), return_inverse=True)
            found = self._values(helds.table, distinct)
            intervals = stretch.interval, longer
            fill_held(helds, intervals, at_ms, distinct[place], place, found, values)
        fill_derived(stretch.table, values.reshape(len(values), -1), self._symbols)


def _floored(closed_at_ms: Indices, interval: Interval) -> Indices:
    """Return when the newest bar of an interval closes that has closed by each instant."""
    step_ms = interval.duration_ms
    return closed_at_ms // step_ms * step_ms
