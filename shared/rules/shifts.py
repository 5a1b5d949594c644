"""Weighted sums that end at many bars, in products of one shape that many endings share.

A weighted sum ending one bar later is the same row of weights, one place to the right. Where the
weights need fewer places than a block has, rows for several endings stand in one block, on the same
bars. On the processors we know, moving weights and data along the sum together, with zeros in their
place, changes no bit of the result, as long as the sum is not split (here: 256 bars at most);
`is_exact` looks whether that holds on this one. docs/decisions/0007 has the measurements.

Not here: sums at one close (weights), which series and rows (running, sliding).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.rules.kernels import Floats
from shared.rules.weights import BLOCK_ROWS, BLOCK_SYMBOLS, HALF_BARS, Blocks

BLOCK_BARS = 256
# Closes that share a block when a row of weights fills half a window.
SHIFTS = BLOCK_BARS - HALF_BARS + 1
# Weights that leave room for a block full of endings.
_PART_BARS = BLOCK_BARS - BLOCK_ROWS + 1
# Windows of 256 bars that are copied for one pass of products, of 512 symbols.
_STRIPS_AT_ONCE = 16

Indices = NDArray[np.int64]


class Shifted:
    """Blocks of weights (weights.pack_rows) for closes up to SHIFTS bars in a row.

    Row j at shift d stands at `d * rows + j`.
    """

    def __init__(self, blocks: Blocks, rows: int) -> None:
        self.rows = rows
        self._newer = _shifted(blocks.newer, rows)
        self._older = _shifted(blocks.older, rows) if len(blocks.older) else None

    def sums(self, steps: Floats, ends: Indices) -> Floats:
        """Return every row times differences, for windows of W bars that end at some bars.

        Shape: steps float64[bars, s], s a multiple of 64; ends int64[c], rising, at least W - 1
        -> float64[rows, c, s].
        """
        result = np.empty((self.rows, len(ends), steps.shape[1]))
        # Closes from the first of a strip on that it can serve.
        firsts, strip_of_close = _strips(ends)
        for start in range(0, len(firsts), _STRIPS_AT_ONCE):
            strips = firsts[start : start + _STRIPS_AT_ONCE]
            found = _product(self._newer, steps, strips - (HALF_BARS - 1))
            if self._older is not None:
                found += _product(self._older, steps, strips - (2 * HALF_BARS - 1))
            closes = np.flatnonzero(
                (strip_of_close >= start) & (strip_of_close < start + len(strips))
            )
            strip = strip_of_close[closes] - start
            shift = ends[closes] - strips[strip]
            for row in range(self.rows):
                result[row, closes] = found[strip, shift * self.rows + row]
        return result


def _strips(ends: Indices) -> tuple[Indices, Indices]:
    """Return the first close of each strip, and which strip each close is in."""
    firsts: list[int] = []
    strip = np.empty(len(ends), dtype=np.int64)
    for place, end in enumerate(ends.tolist()):
        if not firsts or end - firsts[-1] >= SHIFTS:
            firsts.append(end)
        strip[place] = len(firsts) - 1
    return np.array(firsts, dtype=np.int64), strip


def _shifted(blocks: Floats, rows: int) -> Floats:
    """Return blocks float64[b, 32, 256] of all rows at all shifts."""
    flat = blocks.reshape(-1, HALF_BARS)
    # Rows that do not look far have no block of older weights, or zeros in one.
    own = np.zeros((rows, HALF_BARS))
    own[: len(flat)] = flat[:rows]
    count = -(-SHIFTS * rows // BLOCK_ROWS)
    result = np.zeros((count * BLOCK_ROWS, BLOCK_BARS))
    for shift in range(SHIFTS):
        result[shift * rows : (shift + 1) * rows, shift : shift + HALF_BARS] = own
    return result.reshape(count, BLOCK_ROWS, BLOCK_BARS)


def _product(blocks: Floats, steps: Floats, firsts: Indices) -> Floats:
    """Return blocks times the 256 bars from each of some bars on; bars that are not there are 0.

    Shape: float64[b, 32, 256], float64[bars, s], int64[strips] -> float64[strips, 32 · b, s].
    """
    bars, width = steps.shape
    before, after = max(0, -int(firsts.min())), max(0, int(firsts.max()) + BLOCK_BARS - bars)
    if before or after:
        steps = np.pad(steps, ((before, after), (0, 0)))
    data = np.empty((len(firsts), width // BLOCK_SYMBOLS, BLOCK_BARS, BLOCK_SYMBOLS))
    for strip, first in enumerate((firsts + before).tolist()):
        part = steps[first : first + BLOCK_BARS]
        data[strip] = part.reshape(BLOCK_BARS, -1, BLOCK_SYMBOLS).swapaxes(0, 1)
    found = blocks[None, :, None] @ data[:, None]
    flat: Floats = found.swapaxes(2, 3).reshape(len(firsts), -1, width)
    return flat


def sums_at_every_bar(weights: Floats, steps: Floats) -> Floats:
    """Return sums of differences as weights.difference_row has them, ending at every bar.

    No bit depends on where the series begins, if shifts are exact. Bars with too few before them
    get something. Shape: weights float64[n], steps float64[w, s] -> float64[w, s].
    """
    bars, width = steps.shape
    own = np.add.accumulate(weights[:-1])
    result = np.zeros((-(-bars // BLOCK_ROWS) * BLOCK_ROWS, width))
    firsts = np.arange(0, bars, BLOCK_ROWS, dtype=np.int64)
    for reach in range(0, len(own), _PART_BARS):
        part = own[max(len(own) - reach - _PART_BARS, 0) : len(own) - reach]
        block = np.zeros((1, BLOCK_ROWS, BLOCK_BARS))
        for row in range(BLOCK_ROWS):
            stop = _PART_BARS + row
            block[0, row, stop - len(part) : stop] = part
        for start in range(0, len(firsts), _STRIPS_AT_ONCE):
            strips = firsts[start : start + _STRIPS_AT_ONCE]
            found = _product(block, steps, strips - (_PART_BARS - 1) - reach)
            place = int(strips[0])
            result[place : place + len(strips) * BLOCK_ROWS] += found.reshape(-1, width)
    return result[:bars]


@cache
def is_exact() -> bool:
    """Return whether shifts change no bit on this processor; computed once, in about 1 ms."""
    random = np.random.default_rng(5)
    weights = random.normal(size=(BLOCK_ROWS, HALF_BARS))
    data = random.normal(size=(HALF_BARS + BLOCK_BARS, BLOCK_SYMBOLS))
    for shift in range(SHIFTS):
        row = np.zeros((BLOCK_ROWS, BLOCK_BARS))
        row[:, shift : shift + HALF_BARS] = weights
        plain = weights @ np.ascontiguousarray(data[shift : shift + HALF_BARS])
        if not np.array_equal(row @ data[:BLOCK_BARS], plain):
            return False
    for shift in range(BLOCK_ROWS):
        row = np.zeros((BLOCK_ROWS, BLOCK_BARS))
        row[shift, shift : shift + _PART_BARS] = weights[0, :_PART_BARS]
        plain = row @ data[BLOCK_ROWS - shift : BLOCK_ROWS - shift + BLOCK_BARS]
        other = np.zeros_like(row)
        other[0, :_PART_BARS] = weights[0, :_PART_BARS]
        whole = other @ np.ascontiguousarray(data[BLOCK_ROWS : BLOCK_ROWS + BLOCK_BARS])
        if not np.array_equal(plain[shift], whole[0]):
            return False
    return True
