"""The door to compiled.c: recursions from bar to bar, and the bits of conditions.

Each recursion takes several averages or lines of the same bars in one call, and returns their last
bars, float64[k, last, s], NaN where unknown. Sources are float64[w, s] each, oldest bar first, NaN
where unknown, never infinite; a history begins at the first known bar, and anew after every unknown
one. While a call runs, other threads may. Raises: ConfigError if libcompiled.so was never made, or
of other sources than these.
Not here: what is computed (entries), the flags that keep every bit the same (compile.sh).
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import ConfigError
from shared.rules.kernels import Floats

Indices = NDArray[np.int64]
Bits = NDArray[np.uint64]

_LIBRARY = Path(__file__).with_name("libcompiled.so")
# What it is made of, in the order of compile.sh, and the length of what it says about that.
_SOURCES = ("compiled.c", "compile.sh")
_MADE_OF_LENGTH = 32


def exponential(
    source: Floats, alphas: Sequence[float], lengths: Sequence[int], last: int
) -> Floats:
    """Return exponential averages, each seeded with the simple average of its first n values.

    The seed is taken as a deviation from its first value, and so is each step from the average
    before, hence a flat series averages to exactly itself.
    """
    return _call("exponential", [source], (_doubles(alphas), _integers(lengths)), last)


def directional(up: Floats, down: Floats, lengths: Sequence[int], last: int) -> Floats:
    """Return ADX of several n from the moves up and down (entries.trend)."""
    return _call("directional", [up, down], (_integers(lengths),), last)


def supertrend(
    middle: Floats, close: Floats, atrs: Sequence[Floats], factors: Sequence[float], last: int
) -> Floats:
    """Return Supertrend's line of several pairs of ATR and factor (entries.lines)."""
    with _places(atrs, middle.shape) as places:
        return _call("supertrend", [middle, close], (places, _doubles(factors)), last)


def parabolic(
    high: Floats, low: Floats, steps: Sequence[float], mosts: Sequence[float], last: int
) -> Floats:
    """Return Wilder's parabolic stop for several steps and greatest speeds (entries.lines)."""
    return _call("parabolic", [high, low], (_doubles(steps), _doubles(mosts)), last)


def sums(source: Floats, last: int) -> Floats:
    """Return the sum of all bars so far, one result."""
    return _call("sums", [source], (), last)


def balance(close: Floats, volume: Floats, last: int) -> Floats:
    """Return the sum of volume, counted negative where the close fell, one result."""
    return _call("balance", [close, volume], (), last)


def since(truth: Floats, last: int) -> Floats:
    """Return how many bars ago it was last true, one result. `truth`: 1, 0, or NaN unknown."""
    return _call("since", [truth], (), last)


def oscillator(source: Floats, fasts: Sequence[int], slows: Sequence[int], last: int) -> Floats:
    """Return differences of two exponential averages that both begin with the first value."""
    return _call("oscillator", [source], (_integers(fasts), _integers(slows)), last)


def kaufman(
    source: Floats,
    straights: Sequence[Floats],
    lengths: Sequence[int],
    alphas: tuple[float, float],
    last: int,
) -> Floats:
    """Return Kaufman's average of several n, each with how straight its last n bars went.

    `alphas`: of the quickest and of the slowest exponential average that it can be.
    """
    quickest, slowest = (_doubles([alpha] * len(lengths)) for alpha in alphas)
    with _places(straights, source.shape) as places:
        settings = places, _integers(lengths), quickest, slowest
        return _call("kaufman", [source], settings, last)


def daily(source: Floats, volume: Floats, day: Floats, last: int) -> Floats:
    """Return the average weighted by volume since each bar's day began, one result."""
    return _call("daily", [source, volume, day], (), last)


def compare(values: Floats, less: Indices, equal: Indices, bits: Bits) -> None:
    """Fill the first bits: where pairs of rows of values are in order, then where they are equal.

    Shape: values float64[rows, 64 · m], pairs int64[2, k] each, bits uint64[2 (true, false), ≥ k +
    k, m].
    """
    assert values.dtype == np.float64 and values.flags.c_contiguous
    _check_bits(bits, values.shape[1] // 64)
    assert values.shape[1] % 64 == 0 and less.shape[1] + equal.shape[1] <= bits.shape[1]
    first = 0
    for name, pairs in (("less", less), ("equal", equal)):
        left, right = np.ascontiguousarray(pairs, dtype=np.int64)
        count = len(left)
        numbers = map(ctypes.c_int64, (values.shape[1], count))
        true, false = bits[:, first : first + count]
        _library()[name](_place(values), *numbers, *map(_place, (left, right, true, false)))
        first += count


def conjoin(conditions: Indices, operands: Indices, negated: Indices, bits: Bits) -> None:
    """Fill the bits of conditions that are `and`s of others or of their negations.

    Shape: conditions int64[k], operands and negated int64[k, arity], bits as in `compare`.
    """
    _check_bits(bits, bits.shape[2])
    assert operands.shape == negated.shape and len(operands) == len(conditions)
    places = [
        np.ascontiguousarray(each, dtype=np.int64) for each in (conditions, operands, negated)
    ]
    numbers = map(ctypes.c_int64, (*bits.shape[1:], *operands.shape))
    _library().conjunctions(_place(bits), *numbers, *map(_place, places))


def _call(
    name: str, sources: Sequence[Floats], settings: Sequence[NDArray[Any]], last: int
) -> Floats:
    """Call one function of compiled.c. Shape: `settings` [k] each, one number a result."""
    bars, width = sources[0].shape
    count = len(settings[0]) if settings else 1
    result = np.empty((count, last, width))
    # Held until the call has ended.
    rows = [np.ascontiguousarray(source, dtype=np.float64) for source in sources]
    assert last <= bars and all(row.shape == (bars, width) for row in rows)
    assert all(len(numbers) == count for numbers in settings)
    _library()[name](
        *(_place(row) for row in rows),
        *map(ctypes.c_int64, (bars, width, count)),
        *(_place(numbers) for numbers in settings),
        ctypes.c_int64(last),
        _place(result),
    )
    return result


@contextmanager
def _places(series: Sequence[Floats], shape: tuple[int, ...]) -> Iterator[NDArray[np.uintp]]:
    """Yield where some series of one shape lie in memory; they stay there meanwhile."""
    rows = [np.ascontiguousarray(each, dtype=np.float64) for each in series]
    assert all(row.shape == shape for row in rows)
    yield np.array([row.ctypes.data for row in rows], dtype=np.uintp)


def _check_bits(bits: Bits, words: int) -> None:
    assert bits.dtype == np.uint64 and bits.flags.c_contiguous
    assert len(bits) == 2 and bits.shape[2] == words


def _place(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _doubles(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _integers(values: Sequence[int]) -> Indices:
    return np.array(values, dtype=np.int64)


@cache
def _library() -> ctypes.CDLL:
    sources = b"".join((Path(__file__).parent / name).read_bytes() for name in _SOURCES)
    expected = hashlib.sha256(sources).hexdigest()[:_MADE_OF_LENGTH]
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        made_of = (ctypes.c_char * _MADE_OF_LENGTH).in_dll(library, "made_of").value.decode()
    except (OSError, ValueError) as error:
        raise _unusable("cannot be loaded") from error
    # Otherwise its functions may expect other arguments.
    if made_of != expected:
        raise _unusable("is made of other sources")
    return library


def _unusable(reason: str) -> ConfigError:
    return ConfigError(
        f"the engine's compiled part (shared/rules/libcompiled.so) {reason}",
        hint="make it with: shared/rules/compile.sh",
    )
