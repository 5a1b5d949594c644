"""Statistics of the last bars: trend lines, and how two instruments move together."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import AS_SOURCE, CLOSE, TA_LIB, bars, numbers, part, same, source
from shared.rules.entry import Function, Kind, Parameter
from shared.rules.kernels import Expansion, Floats, Rolling, Weighted
from shared.rules.tree import Call, Node, OfInstrument


def slope_weights(n: int) -> Floats:
    """Return the weights that give the slope, per bar, of the least-squares line."""
    distance = np.arange(n) - (n - 1) / 2.0
    weights: Floats = distance / np.add.reduce(distance * distance)
    return weights


def correlation(a: Floats, b: Floats, n: int) -> Floats:
    """Return Pearson's correlation of the last n; NaN where either does not move."""
    a, b = _from_mean(a, n), _from_mean(b, n)
    together = np.add.reduce(a * b, axis=0)
    alone = np.add.reduce(a * a, axis=0) * np.add.reduce(b * b, axis=0)
    result: Floats = np.clip(together / np.sqrt(alone), -1.0, 1.0)
    return result


def _from_mean(source: Floats, n: int) -> Floats:
    """Return deviations from the mean, exactly 0 on a flat source, and of ordinary size."""
    relative: Floats = source - source[-1]
    relative -= np.add.reduce(relative, axis=0) / n
    # In units of the largest, so that the squares of tiny prices do not vanish.
    relative /= np.abs(relative).max(axis=0)
    return relative


def _expand_correlation(instrument: str, n: int) -> Node:
    return Call("_correlation", (CLOSE, OfInstrument(instrument, CLOSE), n))


ENTRIES = (
    Function(
        name="linreg_slope",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit=f"{AS_SOURCE}, per bar",
        range="any",
        definition="slope per bar of the straight line that fits the last n best",
        source=f"{TA_LIB} LINEARREG_SLOPE",
        example="linreg_slope(50) > 0",
        kernel=Weighted(slope_weights, total=0.0),
    ),
    Function(
        name="correlation",
        parameters=(Parameter("instrument", Kind.INSTRUMENT), bars(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="-1 to 1",
        definition="correlation of the last n closes with those of another instrument",
        source=f"Pearson, as {TA_LIB} CORREL; unknown where either did not move",
        example='correlation("BTCUSDT", 20) < 0.3',
        kernel=Expansion(_expand_correlation, same),
    ),
)
PARTS = (
    part(
        "_correlation",
        Rolling(correlation, same),
        (*numbers("a", "b"), bars()),
        "Pearson's correlation of the last n",
    ),
)
