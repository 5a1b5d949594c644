"""Running the steps of series: every step at every bar, for all symbols.

Not here: which steps a plan needs (series), values at single bars (evaluate).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from shared.rules import shifts, weights
from shared.rules.bars import Bars, Indices, known_runs
from shared.rules.compiled import exponential
from shared.rules.kernels import (
    CrossSection,
    Floats,
    Recursion,
    Rolling,
    Sequential,
    Smoothed,
    Weighted,
)
from shared.rules.operations import apply, known_only
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.schedule import Batch
from shared.rules.series import Step
from shared.rules.symbols import Symbols

# A function of the last n bars, at every bar, is taken over so many numbers at a time.
_NUMBERS_AT_ONCE = 1 << 20


class Longer(msgspec.Struct, frozen=True, eq=False):
    """The series of a longer interval, and which of its bars each own bar holds: int64[length].

    -1 where it holds none; `series` None if none is known.
    """

    series: list[Floats] | None
    places: Indices

    def held(self, place: int, shape: tuple[int, int]) -> Floats:
        """Return one of the series at every own bar, NaN where none is held."""
        if self.series is None:
            return np.full(shape, np.nan)
        result: Floats = self.series[place][self.places]
        result[self.places < 0] = np.nan
        return result


def run_steps(
    steps: Sequence[Step],
    bars: Bars,
    symbols: Symbols | None = None,
    longer: Mapping[int, Longer] = MappingProxyType({}),
) -> list[Floats]:
    """Return the series of every step, float64[length, width], NaN where unknown, else finite.

    `symbols`: how they lie, for steps that look at others'. `longer`: table → its series.
    """
    made: list[Floats] = []
    for step in steps:
        inputs = [made[place] for place in step.inputs]
        made += run_batch([step], [inputs], None, bars, symbols, longer)
    return made


def run_some(steps: Sequence[Step], places: Iterable[int], bars: Bars) -> dict[int, Floats]:
    """Return the same of the steps at some places, which need no others and look at no others."""
    made: dict[int, Floats] = {}
    for place in places:
        step = steps[place]
        [made[place]] = run_batch([step], [[made[used] for used in step.inputs]], None, bars)
    return made


def run_batches(
    steps: Sequence[Step],
    batches: Sequence[Batch],
    bars: Bars,
    symbols: Symbols | None,
    longer: Mapping[int, Longer],
) -> Iterator[list[Floats]]:
    """Yield, after each batch, the series made so far, empty where dropped.

    Of a series of which only the last bars are read (Batch.last), it may be only those.
    """
    nothing = np.empty((0, 0))
    made = [nothing] * len(steps)
    for batch in batches:
        several = [steps[place] for place in batch.places]
        inputs = [[made[place] for place in step.inputs] for step in several]
        found = run_batch(several, inputs, batch.last, bars, symbols, longer)
        for place, series in zip(batch.places, found, strict=True):
            made[place] = series
        yield made
        for place in batch.drops:
            made[place] = nothing


def run_batch(
    steps: Sequence[Step],
    inputs: Sequence[list[Floats]],
    last: int | None,
    bars: Bars,
    symbols: Symbols | None = None,
    longer: Mapping[int, Longer] = MappingProxyType({}),
) -> list[Floats]:
    """Return the series of the steps of one batch, from those that each of them needs.

    `last`: how many of their last bars are wanted of recursions; None for all.
    """
    function = ALL_FUNCTIONS.get(steps[0].operation)
    match function.kernel if function else None:
        case Recursion(compute=compute):
            found = compute(inputs, [step.numbers for step in steps], _wanted(inputs, last))
        case Smoothed():
            lengths = [int(step.numbers[0]) for step in steps]
            alphas = [_alpha(step.operation, n) for step, n in zip(steps, lengths, strict=True)]
            found = exponential(inputs[0][0], alphas, lengths, _wanted(inputs, last))
        case _:
            assert len(steps) == 1
            return [_run(steps[0], inputs[0], bars, symbols, longer)]
    return list(known_only(found))


def _wanted(inputs: Sequence[list[Floats]], last: int | None) -> int:
    length = len(inputs[0][0])
    return length if last is None else min(last, length)


def _alpha(operation: str, n: int) -> float:
    kernel = ALL_FUNCTIONS[operation].kernel
    assert isinstance(kernel, Smoothed)
    return kernel.alpha(n)


def _run(
    step: Step,
    inputs: list[Floats],
    bars: Bars,
    symbols: Symbols | None,
    longer: Mapping[int, Longer],
) -> Floats:
    match step.operation:
        case "given":
            assert bars.given is not None
            return bars.given
        case "column":
            return bars.column(int(step.numbers[0]))
        case "clock":
            clock = SERIES[step.name].clock
            assert clock is not None
            return np.repeat(clock(bars.open_times_ms)[:, None], bars.width, axis=1)
        case "number":
            return np.full((bars.length, bars.width), step.numbers[0])
        case "lag":
            ago = int(step.numbers[0])
            result = np.full_like(inputs[0], np.nan)
            result[ago:] = inputs[0][: max(len(result) - ago, 0)]
            return result
        case "held":
            table, place = (int(number) for number in step.numbers)
            return longer[table].held(place, (bars.length, bars.width))
        case "pick":
            assert symbols is not None
            return symbols.pick(inputs[0], step.name)
    function = ALL_FUNCTIONS.get(step.operation)
    match function.kernel if function else None:
        case CrossSection():
            assert symbols is not None
            values = symbols.across(inputs[0], step.operation, int(step.numbers[0]))
        case Sequential(compute=compute):
            values = compute(*inputs, *step.numbers)
        case Weighted() as kernel:
            values = _weighted(kernel, inputs[0], step.numbers)
        case Rolling() as kernel:
            values = rolling(kernel, inputs, step.numbers)
        case _:
            values = apply(step.operation, step.numbers, inputs)
    return known_only(values)


def rolling(kernel: Rolling, sources: list[Floats], periods: tuple[int | float, ...]) -> Floats:
    """Return a function of the last bars at every bar, float64[w, s]; NaN at the first n - 1."""
    n = kernel.bars(*periods)
    result = np.full_like(sources[0], np.nan)
    if n > len(result):
        return result
    if kernel.accumulate in (np.maximum, np.minimum):
        result[n - 1 :] = _extremes(kernel.accumulate, sources[0], n)
        return result
    # float64[n, w - n + 1, s], without a copy.
    views = [
        np.moveaxis(np.lib.stride_tricks.sliding_window_view(source, n, axis=0), 2, 0)
        for source in sources
    ]
    at_once = max(1, _NUMBERS_AT_ONCE // (n * result.shape[1]))
    for start in range(0, views[0].shape[1], at_once):
        stop = min(start + at_once, views[0].shape[1])
        parts = [view[:, start:stop] for view in views]
        result[n - 1 + start : n - 1 + stop] = kernel.compute(*parts, *periods)
    return result


def _extremes(extreme: np.ufunc, source: Floats, n: int) -> Floats:
    """Return the extreme of the last n at every bar from the n-th on: exact in any order."""
    reach, found = 1, source
    while 2 * reach <= n:
        found = extreme(found[reach:], found[:-reach])
        reach *= 2
    rest = n - reach
    both: Floats = extreme(found[rest:], found[: len(found) - rest])
    return both


def _weighted(kernel: Weighted, source: Floats, periods: tuple[int | float, ...]) -> Floats:
    own = kernel.weights(*periods)
    sums = shifts.sums_at_every_bar(own, weights.differences(source))
    result = kernel.total * source - sums
    result[known_runs(source, range(len(source))[::-1]) < len(own)] = np.nan
    return result
