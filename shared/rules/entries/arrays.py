"""Array work that the kernels of several families share: spans of bars, weights of averages.

Pure; oldest bar first, symbols along the last axis. Not here: any function of the language.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from shared.rules.kernels import Floats


def sliding(values: Floats, n: int, operation: np.ufunc) -> Floats:
    """Return an associative operation (sum, extreme) over every n rows in a row.

    Spans of 1, 2, 4, … rows are put together, so that nothing is carried over from bars before
    the n, as a running sum would, and the work grows with log n. Requires n ≤ rows.
    Shape: float64[w, …] -> float64[w - n + 1, …].
    """
    rows = len(values) - n + 1
    result: Floats | None = None
    span, width, taken = values, 1, 0
    while True:
        if n & width:
            part = span[taken : taken + rows]
            result = part if result is None else operation(result, part)
            taken += width
        if 2 * width > n:
            assert result is not None
            return result
        span = operation(span[:-width], span[width:])
        width *= 2


def latest(bars: int) -> Floats:
    """Return weights of 0 and, for the newest of so many bars, 1."""
    weights = np.zeros(bars)
    weights[-1] = 1.0
    return weights


def through_ema(outer: Floats, n: int) -> Floats:
    """Return the weights on a source that amount to these weights on its ema(n).

    A bar of the source acts on the average of its own bar and, fading, of all later ones; the
    first n bars act through the average's seed. Shape: float64[k] -> float64[k + n - 1].
    """
    share = 2.0 / (n + 1.0)
    fade = 1.0 - share
    effects = accumulate(outer[::-1].tolist(), lambda later, own: own + fade * later)
    onward = np.array(list(effects))[::-1]
    return np.concatenate([np.full(n, onward[0] / n), share * onward[1:]])
