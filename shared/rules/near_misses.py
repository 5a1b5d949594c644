"""The instruments on which a rule is false, the nearest to true first: "rsi(14) < 30 is 31.2".

How near: fewest failing comparisons first, then the relative distance |l - r| / max(|l|, |r|) of
the failing ones to their thresholds. Of an `and` all failing parts count and the worst gives the
distance; of an `or` only its best part counts; `not` turns one into the other. Works on whole rows
of values, so that 500 symbols take a millisecond. Pure; used by the preview.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules import describe
from shared.rules.explain import FALSE, SIGNIFICANT_DIGITS, as_written, is_value, parts_of
from shared.rules.kernels import Floats
from shared.rules.tree import AllOf, AnyOf, Comparison, Node, Not
from shared.rules.verdicts import Verdicts

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
# More than any rule has comparisons: a part that is unknown is further away than any that is not.
_UNKNOWN_FAILING = 1_000_000


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison that fails: its text as it must hold, what its sides are, how far apart.

    Of a function that is a condition itself, such as a candle pattern, the sides are None.
    """

    text: str
    left: float | None
    right: float | None
    distance: float


class NearMiss(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument on which the rule is false, and what would have to change."""

    instrument: str
    failing_count: int
    distance: float
    needs: tuple[Need, ...]


class NearMisses(msgspec.Struct, frozen=True, kw_only=True):
    """`nearest` first. `false_count`: instruments on which the rule is false; `unranked_count`:
    those of them that cannot become true without something that is unknown."""

    nearest: tuple[NearMiss, ...]
    false_count: int
    unranked_count: int


class _Leaf(msgspec.Struct, frozen=True, eq=False):
    text: str
    left: Floats | None
    right: Floats | None


class _Gap(msgspec.Struct, frozen=True, eq=False):
    """How far one part is from what is wanted of it: int64[n] failing, float64[n] distance.

    `best`: which of `parts` counts for each symbol, None if all of them do.
    """

    failing: NDArray[np.int64]
    distance: Floats
    leaf: _Leaf | None = None
    parts: tuple[_Gap, ...] = ()
    best: NDArray[np.int64] | None = None


def find_near_misses(
    verdicts: Verdicts,
    rule_index: int = 0,
    *,
    among: NDArray[np.bool_] | None = None,
    count_max: int = 10,
) -> NearMisses:
    """Return the instruments nearest to a match. `among`: bool[n], those that are looked at."""
    is_false = verdicts.state(rule_index) == FALSE
    if among is not None:
        is_false &= among
    with np.errstate(all="ignore"):
        gap = _gap(verdicts, rule_index, verdicts.plan.rules[rule_index].tree, 0, True)
    ranked = is_false & np.isfinite(gap.distance)
    symbols = np.flatnonzero(ranked)
    order = np.lexsort((symbols, gap.distance[symbols], gap.failing[symbols]))
    return NearMisses(
        nearest=tuple(
            NearMiss(
                instrument=verdicts.symbols[symbol],
                failing_count=int(gap.failing[symbol]),
                distance=_rounded(gap.distance[symbol]),
                needs=tuple(_needs(gap, symbol)),
            )
            for symbol in symbols[order[:count_max]].tolist()
        ),
        false_count=int(is_false.sum()),
        unranked_count=int(is_false.sum() - ranked.sum()),
    )


def _gap(verdicts: Verdicts, rule_index: int, node: Node, ago: int, wanted: bool) -> _Gap:
    if is_value(node):
        return _condition(verdicts, rule_index, (node, ago), as_written(node, ago), wanted)
    match node:
        case Comparison():
            return _comparison(verdicts, rule_index, node, ago, wanted)
        case Not(operand=operand):
            return _gap(verdicts, rule_index, operand, ago, not wanted)
    # Anything else, such as a cross, a lag or `tf=`, is the one thing it stands for.
    parts_then = parts_of(node, ago)
    if len(parts_then) == 1 and is_value(parts_then[0][0]):
        # A candle pattern stands for a function that has no name for users.
        return _condition(verdicts, rule_index, parts_then[0], as_written(node, ago), wanted)
    parts = tuple(_gap(verdicts, rule_index, *part, wanted) for part in parts_then)
    return _any(parts) if isinstance(node, AnyOf if wanted else AllOf) else _all(parts)


def _all(parts: tuple[_Gap, ...]) -> _Gap:
    return _Gap(
        failing=np.sum([part.failing for part in parts], axis=0),
        distance=np.max([part.distance for part in parts], axis=0),
        parts=parts,
    )


def _any(parts: tuple[_Gap, ...]) -> _Gap:
    failing, distance = parts[0].failing, parts[0].distance
    best = np.zeros(len(failing), dtype=np.int64)
    for place, part in enumerate(parts[1:], 1):
        nearer = (part.failing == failing) & (part.distance < distance)
        nearer |= part.failing < failing
        failing = np.where(nearer, part.failing, failing)
        distance = np.where(nearer, part.distance, distance)
        best[nearer] = place
    return _Gap(failing=failing, distance=distance, parts=parts, best=best)


def _comparison(
    verdicts: Verdicts, rule_index: int, node: Comparison, ago: int, wanted: bool
) -> _Gap:
    sign = node.operator if wanted else _OPPOSITE[node.operator]
    left = verdicts.numbers(rule_index, node.left, ago)
    right = verdicts.numbers(rule_index, node.right, ago)
    larger = np.maximum(np.abs(left), np.abs(right))
    distance = np.where(larger > 0, np.abs(left - right) / larger, 0.0)
    text = describe.text_of(
        Comparison(sign, as_written(node.left, ago), as_written(node.right, ago))
    )
    holds = _COMPARE[sign](left, right)
    return _leaf(holds, np.isnan(left) | np.isnan(right), distance, _Leaf(text, left, right))


def _condition(
    verdicts: Verdicts, rule_index: int, value: tuple[Node, int], written: Node, wanted: bool
) -> _Gap:
    """Return the gap of a function that says only yes or no: 0 and 1 are a whole apart."""
    values = verdicts.numbers(rule_index, *value)
    text = describe.text_of(written if wanted else Not(written))
    distance = np.ones(len(values))
    return _leaf(values == wanted, np.isnan(values), distance, _Leaf(text, None, None))


def _leaf(
    holds: NDArray[np.bool_], unknown: NDArray[np.bool_], distance: Floats, leaf: _Leaf
) -> _Gap:
    failing = np.where(unknown, _UNKNOWN_FAILING, np.where(holds, 0, 1))
    far = np.where(unknown, np.inf, np.where(holds, 0.0, distance))
    return _Gap(failing=failing, distance=far, leaf=leaf)


def _needs(gap: _Gap, symbol: int) -> Iterator[Need]:
    """Yield the failing comparisons that count for one symbol, in writing order."""
    if gap.failing[symbol] == 0:
        return
    if gap.leaf is not None:
        sides = (gap.leaf.left, gap.leaf.right)
        left, right = (None if side is None else _rounded(side[symbol]) for side in sides)
        distance = _rounded(gap.distance[symbol])
        yield Need(text=gap.leaf.text, left=left, right=right, distance=distance)
    for part in gap.parts if gap.best is None else (gap.parts[gap.best[symbol]],):
        yield from _needs(part, symbol)


def _rounded(value: np.float64) -> float:
    return float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
