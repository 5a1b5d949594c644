"""Values of one symbol given to others: one instrument's for all, and across a universe.

Everything else in the engine keeps symbols apart. Values lie symbol by symbol along the last axis,
padded, once for each of some closes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules.kernels import CrossSection, Floats
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tables import Universe


class Symbols(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The symbols along the last axis, `padded` of them.

    `index`: symbol → place. `members`: the places of each universe's instruments, ascending;
    those that are not there are left out.
    """

    count: int
    padded: int
    index: dict[str, int]
    members: tuple[NDArray[np.int64], ...]

    def pick(self, values: Floats, instrument: str) -> Floats:
        """Return one instrument's values for every symbol; NaN if it is not there.

        Shape: float64[..., closes · padded], the same again.
        """
        place = self.index.get(instrument)
        if place is None:
            return np.full_like(values, np.nan)
        by_close = values.reshape(-1, self.padded)
        same = np.repeat(by_close[:, place : place + 1], self.padded, axis=1)
        return same.reshape(values.shape)

    def across(self, values: Floats, function: str, universe: int) -> Floats:
        """Return a function across the instruments of a universe; NaN for all others.

        Shape: float64[..., closes · padded], the same again.
        """
        kernel = ALL_FUNCTIONS[function].kernel
        assert isinstance(kernel, CrossSection)
        members = self.members[universe]
        by_close = values.reshape(-1, self.padded)
        result = np.full_like(by_close, np.nan)
        result[:, self.count :] = 1.0
        if len(members) and len(by_close):
            result[:, members] = kernel.compute(np.ascontiguousarray(by_close[:, members]))
        return result.reshape(values.shape)


def symbols_of(symbols: Sequence[str], padded: int, universes: Sequence[Universe]) -> Symbols:
    """Return how symbols and universes lie; `padded` as in weights.padded_symbols."""
    index = {symbol: place for place, symbol in enumerate(symbols)}
    members = []
    for universe in universes:
        if universe is None:
            members.append(np.arange(len(symbols)))
        else:
            places = sorted({index[symbol] for symbol in universe if symbol in index})
            members.append(np.array(places, dtype=np.int64))
    return Symbols(count=len(symbols), padded=padded, index=index, members=tuple(members))
