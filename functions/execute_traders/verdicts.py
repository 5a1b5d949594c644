"""Verdicts of many rules at once, such that one failing rule never costs another its verdict.

Pure. The values of a rule do not depend on the others in its plan (design D6), so splitting a
plan in which something fails changes nothing for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.execute_traders.last_close import LastClose
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import UNKNOWN, Plan, Rule, Verdicts, build_plan, evaluate

# The symbols that a rule's cross-sectional functions compare; None is all of the window.
Universe = tuple[str, ...] | None


class Evaluate(Protocol):
    """See shared.rules.evaluate."""

    def __call__(
        self, plan: Plan, window: Window, bars_back: int, *, longer: Mapping[Interval, Window]
    ) -> Verdicts: ...


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts of the rules `[first, first + count)`, or the error that the one rule raised.

    `before`: at the close before, on its own bars; None if nobody asked for it. `earlier`: bars
    back → verdicts there, for traders whose previous due close is further back.
    """

    first: int
    count: int
    now: Verdicts | None = None
    before: Verdicts | None = None
    earlier: Mapping[int, Verdicts] = MappingProxyType({})
    error: Exception | None = None


def plan_rules(rules: Sequence[Rule], universes: Sequence[Universe]) -> Plan | None:
    """Return one plan of all rules; None if that fails: `evaluate_rules` finds the one to blame."""
    try:
        return build_plan(rules, universes)
    except Exception:
        return None


def evaluate_rules(
    rules: Sequence[Rule],
    universes: Sequence[Universe],
    plan: Plan | None,
    window: Window,
    longer: Mapping[Interval, Window],
    *,
    with_before: bool,
    last: LastClose | None = None,
    earlier_bars: Sequence[int] = (),
    evaluate: Evaluate = evaluate,
    first: int = 0,
) -> list[Part]:
    """Return the verdicts of all rules in order; one part unless a rule fails.

    Costs one evaluation, and one more for the close before unless `last` has it; when a rule
    fails, about twice as much for all (halves, then halves of the half that failed). `first` is the
    index of `rules[0]` among all.
    """
    count = len(rules)
    if not count:
        return []
    try:
        whole = build_plan(rules, universes) if plan is None else plan
        now = evaluate(whole, window, 0, longer=longer)
        before = None if last is None else last.before(whole, window, longer)
        if before is None and with_before:
            before = evaluate(whole, window, 1, longer=longer)
        earlier = {bars: evaluate(whole, window, bars, longer=longer) for bars in earlier_bars}
    # Whatever a rule raises is its own trader's error: shown to the owner, counted, and after ten
    # in a row the trader is disabled.
    except Exception as error:
        if count == 1:
            return [Part(first=first, count=1, error=error)]
        return [
            part
            for start, stop in ((0, count // 2), (count // 2, count))
            for part in evaluate_rules(
                rules[start:stop],
                universes[start:stop],
                None,
                window,
                longer,
                with_before=with_before,
                earlier_bars=earlier_bars,
                evaluate=evaluate,
                first=first + start,
            )
        ]
    if last is not None:
        last.keep(now)
    return [Part(first=first, count=count, now=now, before=before, earlier=earlier)]


def states(
    parts: Sequence[Part], rule_count: int, symbol_count: int, before_bars: int = 1
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return int8[rules, n] now and so many bars before; unknown where a rule has no verdict."""
    now = np.full((rule_count, symbol_count), UNKNOWN, dtype=np.int8)
    before = now.copy()
    for part in parts:
        rules = slice(part.first, part.first + part.count)
        if part.now is not None:
            now[rules] = part.now.states()
        earlier = part.before if before_bars == 1 else part.earlier.get(before_bars)
        if earlier is not None:
            before[rules] = earlier.states()
    return now, before
