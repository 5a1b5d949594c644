"""Lay out the recipes of a plan as arrays, grouped by what is carried out together.

Not here: what the recipes are (program), which ones a rule needs (plan).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from shared.rules import weights
from shared.rules.kernels import Floats, Smoothed, Weighted
from shared.rules.program import (
    Average,
    Averages,
    BitsRecipe,
    Conjunction,
    Conjunctions,
    Constant,
    Element,
    Elements,
    Equal,
    Indices,
    Less,
    Literal,
    Plan,
    Read,
    Reads,
    Rolled,
    Rollings,
    ValueRecipe,
)
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.series import SeriesSteps
from shared.rules.tree import W_BARS, Node, Rule


def pack(
    rules: Sequence[Rule],
    results: Sequence[Literal],
    series: SeriesSteps,
    rows: Mapping[ValueRecipe, int],
    bits: Mapping[BitsRecipe, int],
    values: dict[tuple[Node, int], int],
    conditions: dict[tuple[Node, int], Literal],
) -> Plan:
    """Return the plan; `rows` and `bits` number their recipes in order of making."""
    constants = _of_kind(rows, Constant)
    less, equal = _of_kind(bits, Less), _of_kind(bits, Equal)
    ands = _of_kind(bits, Conjunction)
    number = {old: new for new, (_, old) in enumerate([*less, *equal, *ands])}
    return Plan(
        rules=tuple(rules),
        steps=tuple(series.steps),
        rows_count=len(rows),
        constant_rows=_indices([row for _, row in constants]),
        constants=np.array([recipe.value for recipe, _ in constants], dtype=np.float64),
        reads=_reads(_of_kind(rows, Read)),
        averages=_averages(_of_kind(rows, Average), series.warm_ups),
        rollings=_rollings(_of_kind(rows, Rolled)),
        elements=_elements(_of_kind(rows, Element), len(rows)),
        less=_pairs([(recipe.left, recipe.right) for recipe, _ in less]),
        equal=_pairs([(recipe.left, recipe.right) for recipe, _ in equal]),
        conjunctions=_conjunctions(ands, number),
        conditions_count=len(bits),
        result_conditions=_indices([number[bit] for bit, _ in results]),
        result_negated=_indices([negated for _, negated in results]),
        values=values,
        conditions={at: (number[bit], negated) for at, (bit, negated) in conditions.items()},
    )


_R = TypeVar("_R")


def _of_kind(recipes: Mapping[Any, int], kind: type[_R]) -> list[tuple[_R, int]]:
    return [(recipe, row) for recipe, row in recipes.items() if isinstance(recipe, kind)]


def _indices(values: Sequence[int]) -> Indices:
    return np.array(values, dtype=np.int64)


def _pairs(values: Sequence[tuple[int, int]]) -> Indices:
    """Return int64[2, n]."""
    return np.array(values, dtype=np.int64).reshape(-1, 2).T


def _reads(recipes: Sequence[tuple[Read, int]]) -> tuple[Reads, ...]:
    by_series: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for recipe, row in recipes:
        by_series[recipe.series].append((row, recipe.bars_ago))
    return tuple(
        Reads(series, _indices([row for row, _ in found]), _indices([ago for _, ago in found]))
        for series, found in by_series.items()
    )


def _rollings(recipes: Sequence[tuple[Rolled, int]]) -> tuple[Rollings, ...]:
    groups: dict[tuple[str, tuple[int, ...], int], list[tuple[Rolled, int]]] = defaultdict(list)
    for recipe, row in recipes:
        groups[recipe.function, recipe.series, recipe.bars_ago].append((recipe, row))
    return tuple(
        Rollings(
            *key,
            rows=_indices([row for _, row in found]),
            periods=tuple(recipe.periods for recipe, _ in found),
        )
        for key, found in groups.items()
    )


def _averages(
    recipes: Sequence[tuple[Average, int]], warm_ups: Sequence[int]
) -> tuple[Averages, ...]:
    by_series: dict[int, list[tuple[Average, int]]] = defaultdict(list)
    for recipe, row in recipes:
        by_series[recipe.series].append((recipe, row))
    return tuple(
        _averages_of(series, found, warm_ups[series]) for series, found in by_series.items()
    )


def _averages_of(series: int, found: Sequence[tuple[Average, int]], warm_up: int) -> Averages:
    weighted = [(recipe, row, *_weights(recipe, warm_up)) for recipe, row in found]
    weighted.sort(key=lambda item: not weights.looks_far(item[2]))
    recipes = [recipe for recipe, *_ in weighted]
    endings = sorted({recipe.bars_ago for recipe in recipes})
    smoothings: dict[tuple[float, int], int] = {}
    which = []
    for recipe in recipes:
        kernel = ALL_FUNCTIONS[recipe.function].kernel
        if isinstance(kernel, Smoothed):
            n = int(recipe.periods[0])
            pair = (kernel.alpha(n), n)
            which.append(smoothings.setdefault(pair, len(smoothings)))
        else:
            which.append(-1)
    return Averages(
        series=series,
        rows=_indices([row for _, row, *_ in weighted]),
        blocks=weights.pack_rows([row for _, _, row, _, _ in weighted]),
        totals=np.array([total for *_, total, _ in weighted]),
        endings=tuple(endings),
        ending=_indices([endings.index(recipe.bars_ago) for recipe in recipes]),
        bars=_indices([bars for *_, bars in weighted]),
        which=_indices(which),
        alphas=tuple(alpha for alpha, _ in smoothings),
        lengths=tuple(n for _, n in smoothings),
        warm_up=warm_up,
    )


def _weights(recipe: Average, warm_up: int) -> tuple[Floats, float, int]:
    """Return the row of weights, their total, and how many known bars in a row it needs."""
    kernel = ALL_FUNCTIONS[recipe.function].kernel
    if isinstance(kernel, Smoothed):
        n = int(recipe.periods[0])
        whole = W_BARS - warm_up - recipe.bars_ago
        own = weights.smoothed_weights(kernel.alpha(n), n, whole)
        return weights.difference_row(own, recipe.bars_ago), 1.0, n
    assert isinstance(kernel, Weighted)
    own = kernel.weights(*recipe.periods)
    return weights.difference_row(own, recipe.bars_ago), kernel.total, len(own)


def _elements(recipes: Sequence[tuple[Element, int]], rows_count: int) -> tuple[Elements, ...]:
    """Group by level (a row stands above those it is made of), then by operation."""
    level = [0] * rows_count
    groups: dict[tuple[int, str], list[tuple[Element, int]]] = defaultdict(list)
    for recipe, row in recipes:
        level[row] = 1 + max(level[argument] for argument in recipe.rows)
        groups[level[row], recipe.operation].append((recipe, row))
    return tuple(
        Elements(
            operation,
            _indices([row for _, row in found]),
            np.array([recipe.rows for recipe, _ in found], dtype=np.int64).T,
        )
        for (_, operation), found in sorted(groups.items(), key=lambda item: item[0])
    )


def _conjunctions(
    recipes: Sequence[tuple[Conjunction, int]], number: Mapping[int, int]
) -> tuple[Conjunctions, ...]:
    """Group by level, then by how many operands."""
    level: dict[int, int] = {}
    groups: dict[tuple[int, int], list[tuple[Conjunction, int]]] = defaultdict(list)
    for recipe, bit in recipes:
        level[bit] = 1 + max(level.get(operand, 0) for operand, _ in recipe.literals)
        groups[level[bit], len(recipe.literals)].append((recipe, bit))
    return tuple(
        Conjunctions(
            _indices([number[bit] for _, bit in found]),
            np.array([[number[bit] for bit, _ in recipe.literals] for recipe, _ in found]),
            np.array([[int(negated) for _, negated in recipe.literals] for recipe, _ in found]),
        )
        for _, found in sorted(groups.items(), key=lambda item: item[0])
    )
