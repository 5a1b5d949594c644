"""Averages as one matrix product: rows of weights times the bars of all symbols.

A BLAS product rounds differently when its shape changes, so a value would depend on the other
rules of the plan. Here every product has one shape, zero-padded: 32 rows × 250 bars times 250 bars
× 32 symbols, for the older and the newer half of the window, the halves added in that order. That
is the largest shape that OpenBLAS (0.3.31) computes on the calling thread and without splitting the
sum; measured: 500 bars × 512 symbols gives other last bits with one thread than with two, and takes
ten times as long when another process holds the second processor. This shape gives the same bits
with 1 to 8 threads and with its Haswell and Zen kernels, at 1.2 times the best case's time.

A row works on differences, not on values: sum(w·x) = total·x_now - sum(c·(x_k - x_{k-1})), c_k the
weights of all bars older than k. Equal in mathematics; but a flat price then averages to exactly
itself, so that `close > sma(20)` is false on it instead of a matter of rounding.

Movements (gains, true ranges) are never negative, and their averages are compared with each other:
they work on values. Such a sum keeps its digits when it has faded to next to nothing, after hours
without a trade, where a difference of large numbers would leave only noise.

Not here: histories shorter than the window (compiled.exponential), who needs which row (plan).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from shared.rules.kernels import Floats
from shared.rules.tree import W_BARS

BLOCK_ROWS = 32
BLOCK_SYMBOLS = 32
HALF_BARS = W_BARS // 2

# Verdicts are packed into words of 64 symbols; a multiple of BLOCK_SYMBOLS.
SYMBOLS_MULTIPLE = 64


class Blocks(msgspec.Struct, frozen=True, eq=False):
    """Rows in blocks of one shape: float64[blocks, 32, 250] for each half of the window.

    Rows that look at the newer half only come last; `older` has no blocks for those.
    """

    older: Floats
    newer: Floats


def smoothed_weights(alpha: float, n: int, bars: int) -> Floats:
    """Return the weights of an exponential average over `bars` bars, oldest first.

    The first n carry the seed (their simple average) together; requires bars ≥ n.
    """
    decay = np.ones(bars - n + 1)
    decay[1:] = 1.0 - alpha
    np.multiply.accumulate(decay, out=decay)
    return np.concatenate([np.full(n, decay[-1] / n), alpha * decay[-2::-1]])


def total_of(weights: Floats) -> float:
    """Return what weights add up to; where that is a whole number but for rounding, the number."""
    total = float(np.add.reduce(weights))
    return float(round(total)) if abs(total - round(total)) < 1e-9 else total


def difference_row(weights: Floats, bars_ago: int) -> Floats:
    """Return the row, float64[W], that applies `weights` to differences, ending so many bars ago.

    Entry k belongs to x_k - x_{k-1} and is the sum of the weights older than bar k.
    """
    row = np.zeros(W_BARS)
    end = W_BARS - bars_ago
    row[end - len(weights) + 1 : end] = np.add.accumulate(weights[:-1])
    return row


def plain_row(weights: Floats, bars_ago: int) -> Floats:
    """Return the row, float64[W], that applies `weights` to values, ending so many bars ago."""
    row = np.zeros(W_BARS)
    end = W_BARS - bars_ago
    row[end - len(weights) : end] = weights
    return row


def looks_far(row: Floats) -> bool:
    """Return whether a row has weights in the older half of the window."""
    return bool(row[:HALF_BARS].any())


def pack_rows(rows: Sequence[Floats]) -> Blocks:
    """Return rows, those that look far first, as blocks.

    Leaving out an older half of zeros changes no bit of a sum, so the order of rows is no matter.
    """
    far = sum(looks_far(row) for row in rows)
    blocks, far_blocks = -(-len(rows) // BLOCK_ROWS), -(-far // BLOCK_ROWS)
    padded = np.zeros((blocks, BLOCK_ROWS, W_BARS))
    padded.reshape(-1, W_BARS)[: len(rows)] = rows
    return Blocks(
        older=np.ascontiguousarray(padded[:far_blocks, :, :HALF_BARS]),
        newer=np.ascontiguousarray(padded[:, :, HALF_BARS:]),
    )


def padded_symbols(symbols: int) -> int:
    """Return the number of columns that hold so many symbols: a multiple of 64, at least one."""
    return max(1, -(-symbols // SYMBOLS_MULTIPLE)) * SYMBOLS_MULTIPLE


def differences(source: Floats) -> Floats:
    """Return x_k - x_{k-1}, 0 where either is unknown or the result is not finite.

    Shape: float64[W, s] -> float64[W, s]; the first row is 0.
    """
    result = np.zeros_like(source)
    np.subtract(source[1:], source[:-1], out=result[1:])
    np.copyto(result, 0.0, where=~np.isfinite(result))
    return result


def operand(source: Floats, is_plain: bool) -> Floats:
    """Return what rows are multiplied with: values, 0 where unknown, or differences."""
    return np.where(np.isfinite(source), source, 0.0) if is_plain else differences(source)


def product(blocks: Blocks, steps: Floats) -> Floats:
    """Return rows times differences in products of the one shape.

    Shape: blocks of k rows, float64[W, s] -> float64[≥ k, s]; s a multiple of 64.
    """
    symbols = steps.shape[1]
    halves = steps.reshape(2, HALF_BARS, symbols // BLOCK_SYMBOLS, BLOCK_SYMBOLS)
    older, newer = np.ascontiguousarray(halves.swapaxes(1, 2))
    result = blocks.newer[:, None] @ newer[None]
    far = len(blocks.older)
    result[:far] += blocks.older[:, None] @ older[None]
    flat: Floats = result.swapaxes(1, 2).reshape(len(result) * BLOCK_ROWS, symbols)
    return flat
