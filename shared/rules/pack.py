"""Lay out the recipes of a plan as arrays, grouped by what is carried out together.

Not here: what the recipes are (program), which ones a rule needs (plan).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from shared.rules.pack_sums import indices, pack_averages
from shared.rules.program import (
    Acrosses,
    Base,
    Conjunctions,
    Derived,
    Elements,
    Helds,
    Indices,
    Picks,
    Plan,
    Reads,
    Rollings,
    Table,
)
from shared.rules.recipes import (
    Across,
    Average,
    BitsRecipe,
    Conjunction,
    Constant,
    Element,
    Equal,
    Held,
    Less,
    Literal,
    Never,
    Picked,
    Read,
    Rolled,
    ValueRecipe,
)
from shared.rules.rows import Rows
from shared.rules.schedule import Batch, schedule
from shared.rules.series import is_movement
from shared.rules.tree import Rule


def pack(
    rules: Sequence[Rule],
    universe_of_rule: Sequence[int],
    results: Sequence[Literal],
    rows: Rows,
    bits: Mapping[BitsRecipe, int],
) -> Plan:
    """Return the plan; `bits` numbers its recipes in order of making, as `rows` does."""
    less, equal = _of_kind(bits, Less), _of_kind(bits, Equal)
    ands = _of_kind(bits, Conjunction)
    number = {old: new for new, (_, old) in enumerate([*less, *equal, *ands])}
    tables = rows.tables
    by_interval = sorted(
        range(1, len(tables.chains)), key=lambda table: -tables.interval(table).duration_ms
    )
    return Plan(
        rules=tuple(rules),
        interval=tables.own if len(tables.chains) > 1 else None,
        tables=tuple(_table(rows, table) for table in range(len(tables.chains))),
        order=(*by_interval, 0),
        universes=tuple(tables.universes),
        universe_of_rule=indices(universe_of_rule),
        less=_pairs([(recipe.left, recipe.right) for recipe, _ in less]),
        equal=_pairs([(recipe.left, recipe.right) for recipe, _ in equal]),
        conjunctions=_conjunctions(ands, number),
        conditions_count=len(bits),
        result_conditions=indices([number[bit] for bit, _ in results]),
        result_negated=indices([negated for _, negated in results]),
        values=rows.values[0],
    )


def _table(rows: Rows, table: int) -> Table:
    recipes: Mapping[ValueRecipe, int] = rows.recipes[table] if table < len(rows.recipes) else {}
    steps = rows.series.steps(table)
    held = {int(step.numbers[0]) for step in steps if step.operation == "held"}
    kept = {
        int(step.numbers[1])
        for step in rows.series.all_steps()
        if step.operation == "held" and step.numbers[0] == table
    }
    constants = [(recipe.value, row) for recipe, row in _of_kind(recipes, Constant)]
    constants += [(np.nan, row) for _, row in _of_kind(recipes, Never)]
    reads = _reads(_of_kind(recipes, Read))
    averages = pack_averages(
        _of_kind(recipes, Average),
        lambda place: rows.series.warm_up(table, place),
        lambda place: is_movement(steps[place]),
    )
    rollings = _rollings(_of_kind(recipes, Rolled))
    summed = {group.series for group in averages}.union(*(group.series for group in rollings))
    last_read = {
        group.series: int(group.bars_ago.max()) + 1 for group in reads if group.series not in summed
    }
    batches = schedule(steps, [group.series for group in rollings], kept, last_read)
    return Table(
        chain=rows.tables.chains[table],
        steps=steps,
        held_steps=tuple(sorted(held)),
        rows_count=len(recipes),
        constant_rows=indices([row for _, row in constants]),
        constants=np.array([value for value, _ in constants], dtype=np.float64),
        batches=batches,
        fills=_fills(batches, [*reads, *averages, *rollings]),
        reads=reads,
        averages=averages,
        rollings=rollings,
        helds=_helds(_of_kind(recipes, Held)),
        derived=_derived(recipes),
    )


def _fills(batches: Sequence[Batch], groups: Sequence[Base]) -> tuple[tuple[Base, ...], ...]:
    """Return, for each batch, the groups of rows that can be filled after it."""
    made_at = {place: at for at, batch in enumerate(batches) for place in batch.places}
    fills: list[list[Base]] = [[] for _ in batches]
    for group in groups:
        series = group.series if isinstance(group.series, tuple) else (group.series,)
        fills[max(made_at[place] for place in series)].append(group)
    return tuple(map(tuple, fills))


_R = TypeVar("_R")


def _of_kind(recipes: Mapping[Any, int], kind: type[_R]) -> list[tuple[_R, int]]:
    return [(recipe, row) for recipe, row in recipes.items() if isinstance(recipe, kind)]


def _pairs(values: Sequence[tuple[int, int]]) -> Indices:
    """Return int64[2, n]."""
    return np.array(values, dtype=np.int64).reshape(-1, 2).T


def _reads(recipes: Sequence[tuple[Read, int]]) -> tuple[Reads, ...]:
    by_series: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for recipe, row in recipes:
        by_series[recipe.series].append((row, recipe.bars_ago))
    return tuple(
        Reads(series, indices([row for row, _ in found]), indices([ago for _, ago in found]))
        for series, found in by_series.items()
    )


def _rollings(recipes: Sequence[tuple[Rolled, int]]) -> tuple[Rollings, ...]:
    groups: dict[tuple[str, tuple[int, ...], int], list[tuple[Rolled, int]]] = defaultdict(list)
    for recipe, row in recipes:
        groups[recipe.function, recipe.series, recipe.bars_ago].append((recipe, row))
    return tuple(
        Rollings(
            *key,
            rows=indices([row for _, row in found]),
            periods=tuple(recipe.periods for recipe, _ in found),
        )
        for key, found in groups.items()
    )


def _helds(recipes: Sequence[tuple[Held, int]]) -> tuple[Helds, ...]:
    by_table: dict[int, list[tuple[Held, int]]] = defaultdict(list)
    for recipe, row in recipes:
        by_table[recipe.table].append((recipe, row))
    return tuple(
        Helds(
            table,
            rows=indices([row for _, row in found]),
            low=indices([recipe.low for recipe, _ in found]),
            high=indices([recipe.high for recipe, _ in found]),
            bars_ago=indices([recipe.bars_ago for recipe, _ in found]),
        )
        for table, found in by_table.items()
    )


def _derived(recipes: Mapping[ValueRecipe, int]) -> tuple[Derived, ...]:
    """Group by level (a row stands above those it is made of), then by operation."""
    level = [0] * len(recipes)
    elements: dict[tuple[Any, ...], list[tuple[tuple[int, ...], int]]] = defaultdict(list)
    picks: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    acrosses: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    for recipe, row in recipes.items():
        match recipe:
            case Element(operation, rows, periods):
                level[row] = at = 1 + max(level[argument] for argument in rows)
                elements[at, operation, periods, len(rows)].append((rows, row))
            case Picked(instrument, argument):
                level[row] = at = 1 + level[argument]
                picks[at, instrument].append((argument, row))
            case Across(function, universe, argument):
                level[row] = at = 1 + level[argument]
                acrosses[at, function, universe].append((argument, row))
    found: list[tuple[int, Derived]] = [
        (at, Elements(operation, periods, *_made(of, transposed=True)))
        for (at, operation, periods, _), of in elements.items()
    ]
    found += [(at, Picks(instrument, *_made(of))) for (at, instrument), of in picks.items()]
    found += [
        (at, Acrosses(function, universe, *_made(of)))
        for (at, function, universe), of in acrosses.items()
    ]
    return tuple(group for _, group in sorted(found, key=lambda item: item[0]))


def _made(found: Sequence[tuple[Any, int]], transposed: bool = False) -> tuple[Indices, Indices]:
    """Return rows, and what they are made of."""
    arguments = np.array([argument for argument, _ in found], dtype=np.int64)
    return indices([row for _, row in found]), arguments.T if transposed else arguments


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
            indices([number[bit] for _, bit in found]),
            np.array([[number[bit] for bit, _ in recipe.literals] for recipe, _ in found]),
            np.array([[int(negated) for _, negated in recipe.literals] for recipe, _ in found]),
        )
        for _, found in sorted(groups.items(), key=lambda item: item[0])
    )
