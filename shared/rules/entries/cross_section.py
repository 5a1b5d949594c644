"""Functions across instruments: one close, all instruments of the trader's universe."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import condition
from shared.rules.entry import Function, Kind, Parameter
from shared.rules.kernels import CrossSection, Floats


def rank(values: Floats) -> Floats:
    """Return the place of each known value in its row, 1 for the largest; equals share it."""
    return _where_known(values, 1.0 + _larger(values))


def percentile(values: Floats) -> Floats:
    """Return how many of the other known values of its row are smaller, in percent."""
    others = np.isfinite(values).sum(axis=1, keepdims=True) - 1.0
    smaller = _larger(-values)
    return _where_known(
        values, 100.0 * np.divide(smaller, others, where=others > 0.0, out=_none(values))
    )


def zscore(values: Floats) -> Floats:
    """Return how many population deviations each known value is above its row's mean.

    Unknown where the deviation is 0. Summed in order of size, so that the order of instruments is
    no matter; and relative to the smallest, so that equal values deviate by exactly nothing.
    """
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)
    known = np.isfinite(ordered)
    count = known.sum(axis=1, keepdims=True)
    least = ordered[:, :1]
    above = np.where(known, ordered - least, 0.0)
    mean = _total(above) / np.maximum(count, 1)
    squares = np.where(known, (above - mean) ** 2, 0.0)
    deviation = np.sqrt(_total(squares) / np.maximum(count, 1))
    score = np.divide((values - least) - mean, deviation, where=deviation > 0.0, out=_none(values))
    return _where_known(values, score)


def share(truth: Floats) -> Floats:
    """Return the fraction of the known conditions of a row that is true, for all of the row."""
    known = np.isfinite(truth)
    count = known.sum(axis=1, keepdims=True)
    true = ((truth == 1.0) & known).sum(axis=1, keepdims=True)
    fraction = np.divide(true, count, where=count > 0, out=np.full(count.shape, np.nan))
    return np.broadcast_to(fraction, truth.shape).copy()


def _larger(values: Floats) -> Floats:
    """Return how many known values of its row are larger than each."""
    order = np.argsort(-values, axis=1)  # largest first, unknown last
    ordered = np.take_along_axis(values, order, axis=1)
    places = np.broadcast_to(np.arange(values.shape[1]), values.shape).copy()
    places[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0
    # The first place among equals, for all of them.
    np.maximum.accumulate(places, axis=1, out=places)
    result = np.empty(values.shape)
    np.put_along_axis(result, order, places.astype(np.float64), axis=1)
    return result


def _total(values: Floats) -> Floats:
    """Return the sum of each row, added up in order, so that zeros at its end are no matter."""
    return np.add.accumulate(values, axis=1)[:, -1:]


def _none(values: Floats) -> Floats:
    return np.full(values.shape, np.nan)


def _where_known(values: Floats, result: Floats) -> Floats:
    return np.where(np.isfinite(values), result, np.nan)


_SERIES = Parameter("x", Kind.SERIES)
_ACROSS = "over the trader's instruments whose x is known"
ENTRIES = (
    Function(
        name="rank",
        parameters=(_SERIES,),
        gives=Kind.NUMBER,
        unit="place",
        range="1 to the number of instruments",
        definition=f"place of x {_ACROSS}: 1 is the largest, equals share the better place",
        source="Closebell",
        example="rank(roc(24)) <= 10",
        kernel=CrossSection(rank),
    ),
    Function(
        name="percentile",
        parameters=(_SERIES,),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition=f"how many of the others have a smaller x, {_ACROSS}",
        source="Closebell",
        example="percentile(volume / sma(volume, 20)) > 95",
        kernel=CrossSection(percentile),
    ),
    Function(
        name="zscore_across",
        parameters=(_SERIES,),
        gives=Kind.NUMBER,
        unit="deviations",
        range="any",
        definition=f"how many standard deviations x is above its mean, {_ACROSS}",
        source="Closebell, population deviation",
        example="zscore_across(roc(24)) > 2",
        kernel=CrossSection(zscore),
    ),
    Function(
        name="share",
        parameters=(condition(),),
        gives=Kind.NUMBER,
        unit="none",
        range="0 to 1",
        definition="for what part of the trader's instruments the condition is true,"
        " of those for which it is known",
        source="Closebell",
        example="share(close > sma(50)) > 0.7 and close > sma(50)",
        kernel=CrossSection(share),
    ),
)
PARTS: tuple[Function, ...] = ()
