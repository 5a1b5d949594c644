"""The bars that an evaluation reads: aligned, padded, each symbol from after its last gap on.

Not here: which bars those are (market), what is computed from them (series, evaluate).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules import weights
from shared.rules.kernels import Floats

Indices = NDArray[np.int64]


class Bars(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The bars of some symbols, oldest first.

    `columns`: float64[8, ≤ length, m]. `places`: where in m each symbol is, int64[n], -1 = nowhere;
    None if just so. `open_times_ms`: int64[length], also of bars that are not there. `given`: a
    series made elsewhere, float64[length, width], width a multiple of 64. `cut`: whether a symbol's
    bars up to its last gap are unknown.
    """

    columns: NDArray[np.float64]
    open_times_ms: NDArray[np.int64]
    places: Indices | None = None
    given: Floats | None = None
    cut: bool = True

    @property
    def length(self) -> int:
        """Return how many bars a series has."""
        return len(self.open_times_ms)

    @property
    def symbols(self) -> int:
        """Return how many symbols there are."""
        return int(self.columns.shape[2]) if self.places is None else len(self.places)

    @property
    def width(self) -> int:
        """Return how many columns a series has: symbols, padded."""
        return weights.padded_symbols(self.symbols) if self.given is None else self.given.shape[1]

    def column(self, index: int) -> Floats:
        """Return one column, float64[length, width]; NaN = unknown.

        The padding is 1 throughout: known, so that it takes no time as a short history.
        """
        column = self.columns[index, -self.length :]
        bars = len(column)
        result = np.empty((self.length, self.width))
        result[: self.length - bars, : self.symbols] = np.nan
        result[:, self.symbols :] = 1.0
        part = result[self.length - bars :, : self.symbols]
        if self.places is None:
            part[:] = column
        elif not column.shape[1]:
            part[:] = np.nan
        else:
            np.take(column, self.places, axis=1, out=part, mode="wrap")
            part[:, self.places < 0] = np.nan
        unknown = ~np.isfinite(part)
        if not unknown.any():
            return result
        if self.cut:
            places = np.arange(bars, dtype=np.int32)[:, None]
            last_unknown = np.where(unknown, places, np.int32(-1)).max(axis=0)
            part[places <= last_unknown] = np.nan
        else:
            part[unknown] = np.nan
        return result

    def only(self, symbols: Sequence[int] | Indices) -> Bars:
        """Return the bars of some symbols."""
        chosen = np.array(symbols, dtype=np.int64)
        places = chosen if self.places is None else self.places[chosen]
        return msgspec.structs.replace(self, places=places)


def bars_of(given: Floats) -> Bars:
    """Return what steps are run on that know of one series only."""
    return Bars(
        columns=np.empty((0, 0, 0)), open_times_ms=np.zeros(len(given), dtype=np.int64), given=given
    )


def known_runs(source: Floats, bars_ago: Sequence[int], warm_up: int = 0) -> Indices:
    """Return how many known bars in a row end at each of the bars asked for.

    Shape: float64[w, s] -> int64[len(bars_ago), s]. `warm_up`: bars at the start that are probably
    unknown.
    """
    bars = len(source)
    ends = bars - 1 - np.asarray(bars_ago, dtype=np.int64)[:, None]
    if not np.isfinite(source[:warm_up]).any() and np.isfinite(source[warm_up:]).all():
        return np.broadcast_to(ends + 1 - warm_up, (len(bars_ago), source.shape[1]))
    places = np.arange(bars, dtype=np.int16)[:, None]
    unknown = np.where(np.isfinite(source), np.int16(-1), places)
    if len(bars_ago) > 8:
        last = np.maximum.accumulate(unknown, axis=0)[[bars - 1 - ago for ago in bars_ago]]
    else:
        last = np.array([unknown[: bars - ago].max(axis=0) for ago in bars_ago])
    return ends - last
