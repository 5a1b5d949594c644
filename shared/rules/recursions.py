"""Recursions from bar to bar, for all symbols at once: what sequential kernels are built from.

Each symbol has its own beginnings: its first known bar, and the first one after every unknown bar.
Pure array code; one Python loop over the bars, on rows that stay in the processor's cache: for what
is seldom read. What is read often is compiled. Not here: what is computed (entries).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.rules.kernels import Floats

Ages = NDArray[np.int16]


def ages(*sources: Floats) -> Ages:
    """Return how many known bars in a row precede each bar that is known; -1 where it is unknown.

    A bar is known if all sources are. Shape: float64[w, s] each -> int16[w, s], or int16[w, 1] if
    all of them begin at the same bar and have no gap.
    """
    known = np.isfinite(sources[0])
    for source in sources[1:]:
        known &= np.isfinite(source)
    places = np.arange(len(known), dtype=np.int16)[:, None]
    if known.all():
        return places
    if not (known[:-1] > known[1:]).any():  # unknown at the start only, as nearly always
        # Counted row by row: several times faster than looking for the first one.
        first = len(known) - np.add.reduce(known, axis=0, dtype=np.int16)
        if (first == first[0]).all():
            first = first[:1]
        since: Ages = np.maximum(places - first, np.int16(-1))
        return since
    last_unknown = np.where(known, np.int16(-1), places)
    np.maximum.accumulate(last_unknown, axis=0, out=last_unknown)
    result: Ages = places - last_unknown - np.int16(1)
    return result


def always_known(since: Ages) -> bool:
    """Return whether these are the ages of bars that are all known."""
    return bool((since[-1] == len(since) - 1).all())


def keep_sums(values: Floats, kept: Floats) -> Floats:
    """Return, in place, sum_t = value_t + kept_t · sum_{t-1}.

    A sum begins anew where `kept` is 0. Shape: values float64[w, …, s], finite; kept float64[w, s]
    or [w, 1].
    """
    before = values[0]
    carried = np.empty_like(before)
    for now, share in zip(values[1:], kept[1:], strict=True):
        np.multiply(before, share, out=carried)
        np.add(now, carried, out=now)
        before = now
    return values


def only_from(values: Floats, since: Ages, age: int) -> Floats:
    """Return, in place, the values of bars that at least `age` known bars precede, else NaN."""
    if int(since.min()) < age:
        np.copyto(values, np.nan, where=since < age)
    return values
