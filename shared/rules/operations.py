"""Operations on the values of one bar: arithmetic, and truth in three values.

Any equal shapes; NaN = unknown. Truth as numbers (1 true, 0 false, NaN unknown) is what a function
of a condition reads, at every bar; a rule's own verdict is made of packed bits instead (evaluate).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shared.rules.kernels import Elementwise, Floats
from shared.rules.registry import ALL_FUNCTIONS

COMMUTATIVE = ("+", "*", "max", "min", "==", "!=")


def _less(left: Floats, right: Floats) -> Floats:
    return _where_known(left < right, left, right)


def _less_or_equal(left: Floats, right: Floats) -> Floats:
    return _where_known(left <= right, left, right)


def _greater(left: Floats, right: Floats) -> Floats:
    return _less(right, left)


def _greater_or_equal(left: Floats, right: Floats) -> Floats:
    return _less_or_equal(right, left)


def _equal(left: Floats, right: Floats) -> Floats:
    return _where_known(left == right, left, right)


def _unequal(left: Floats, right: Floats) -> Floats:
    return _where_known(left != right, left, right)


def _where_known(truth: np.ndarray, left: Floats, right: Floats) -> Floats:
    return np.where(np.isnan(left) | np.isnan(right), np.nan, truth)


def _not(condition: Floats) -> Floats:
    return 1.0 - condition


def _and(*conditions: Floats) -> Floats:
    """Return 0 where one is false, else NaN where one is unknown, else 1."""
    known_smallest = np.fmin.reduce(conditions)
    return np.where(known_smallest == 0.0, 0.0, np.minimum.reduce(conditions))


def _or(*conditions: Floats) -> Floats:
    """Return 1 where one is true, else NaN where one is unknown, else 0."""
    known_largest = np.fmax.reduce(conditions)
    return np.where(known_largest == 1.0, 1.0, np.maximum.reduce(conditions))


OPERATIONS: dict[str, Callable[..., Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "negative": np.negative,
    "<": _less,
    "<=": _less_or_equal,
    ">": _greater,
    ">=": _greater_or_equal,
    "==": _equal,
    "!=": _unequal,
    "not": _not,
    "and": _and,
    "or": _or,
}


def apply(operation: str, periods: tuple[int | float, ...], arguments: list[Floats]) -> Floats:
    """Return an operation, or a function of one bar's values, of arrays of one shape.

    The result may hold infinities, and may be one of the arguments.
    """
    compute = OPERATIONS.get(operation)
    if compute is not None:
        return compute(*arguments)
    kernel = ALL_FUNCTIONS[operation].kernel
    assert isinstance(kernel, Elementwise)
    return kernel.compute(*arguments, *periods)


def known_only(values: Floats) -> Floats:
    """Return the values with whatever is not finite made NaN, in place if they can be written."""
    finite = np.isfinite(values)
    if not finite.all():
        np.copyto(values, np.nan, where=~finite)
    return values
