"""In which order series are made: equal kinds together, and none kept longer than it is needed.

A series of 500 symbols is 2 MB; a plan of many rules has hundreds of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from shared.rules.kernels import Recursion, Smoothed
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.series import Step

# Series made in one call: they share the reading of their sources, and the memory of the result.
_TOGETHER_MAX = 8


class Batch(msgspec.Struct, frozen=True):
    """Steps made in one pass, and those of which nothing is needed after it.

    `last`: how many of the last bars are read of any of them; None if every bar is.
    """

    places: tuple[int, ...]
    drops: tuple[int, ...]
    last: int | None


def schedule(
    steps: Sequence[Step],
    joint: Iterable[tuple[int, ...]],
    kept: Set[int],
    last_read: Mapping[int, int],
) -> tuple[Batch, ...]:
    """Return batches in an order in which they can be run.

    `joint`: series that are read together, once the last of them is there. `kept`: those that are
    needed to the end. `last_read`: how many of the last bars are read of those of which nothing
    else is needed than single bars.
    """
    units = _units(steps)
    unit_of = {place: unit for unit in units for place in unit}
    order: dict[tuple[int, ...], int] = {}
    for unit in units:
        _put_after_inputs(unit, steps, unit_of, order)
    made_at = {place: at for unit, at in order.items() for place in unit}
    last_use = dict(made_at)
    for place, step in enumerate(steps):
        for used in step.inputs:
            last_use[used] = max(last_use[used], made_at[place])
    for together in joint:
        at = max(made_at[place] for place in together)
        for used in together:
            last_use[used] = max(last_use[used], at)
    drops: dict[int, list[int]] = defaultdict(list)
    for place, at in last_use.items():
        if place not in kept:
            drops[at].append(place)
    every = kept | {used for step in steps for used in step.inputs}
    return tuple(
        Batch(unit, tuple(drops[at]), _last(unit, every, last_read)) for unit, at in order.items()
    )


def _last(unit: tuple[int, ...], every: Set[int], last_read: Mapping[int, int]) -> int | None:
    if any(place in every or place not in last_read for place in unit):
        return None
    return max(last_read[place] for place in unit)


def _units(steps: Sequence[Step]) -> list[tuple[int, ...]]:
    """Return which steps are made in one pass: of one level, so that none waits for another."""
    level: list[int] = []
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, step in enumerate(steps):
        level.append(1 + max((level[used] for used in step.inputs), default=0))
        function = ALL_FUNCTIONS.get(step.operation)
        match function.kernel if function else None:
            case Smoothed():
                groups["smoothed", step.inputs].append(place)
            case Recursion(shared=shared):
                groups[step.operation, level[place], step.inputs[:shared]].append(place)
            case _:
                groups[place,].append(place)
    return [
        tuple(places[start : start + _TOGETHER_MAX])
        for places in groups.values()
        for start in range(0, len(places), _TOGETHER_MAX)
    ]


def _put_after_inputs(
    unit: tuple[int, ...],
    steps: Sequence[Step],
    unit_of: dict[int, tuple[int, ...]],
    order: dict[tuple[int, ...], int],
) -> None:
    # Nested no deeper than a rule is.
    if unit in order:
        return
    for place in unit:
        for used in steps[place].inputs:
            _put_after_inputs(unit_of[used], steps, unit_of, order)
    order[unit] = len(order)
