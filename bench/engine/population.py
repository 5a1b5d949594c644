"""The distribution of the benchmark's traders: what they name, how often, how much is shared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from bench.engine.formula import Formula, formula_of, functions_of
from bench.figures import Figure
from bench.traders import draw_rules

SIZES = (1_000, 10_000, 100_000)
SHARES_OF = 10_000
CALLS_SHOWN = 12


def calls_of(formulas: Iterable[Formula]) -> Counter[str]:
    """Return the distinct indicator calls, each with how many rules name it."""
    found: Counter[str] = Counter()
    for formula in formulas:
        found.update({_text(call) for call in _calls(formula)})
    return found


def measure() -> list[Figure]:
    """Return counts of distinct rules and nodes, and shares of functions and of calls."""
    rules = draw_rules(max(SIZES))
    formulas = [formula_of(rule) for rule in rules]
    figures = []
    for size in SIZES:
        calls = calls_of(formulas[:size])
        once = sum(1 for count in calls.values() if count == 1)
        figures.append(
            Figure(
                name=f"engine_traders_{size:06}",
                value=len(calls),
                unit="distinct nodes",
                conditions=f"{size:,} traders, {len(set(rules[:size])):,} distinct rules, "
                f"{sum(calls.values()):,} nodes named, {once:,} by one trader only",
            )
        )
    some = formulas[:SHARES_OF]
    functions = Counter(name for formula in some for name in functions_of(formula))
    figures += [_share("function", name, count) for name, count in functions.items()]
    usual = calls_of(some).most_common(CALLS_SHOWN)
    return figures + [_share("node", text, count) for text, count in usual]


def _share(what: str, name: str, count: int) -> Figure:
    return Figure(
        name=f"engine_traders_{what} {name}",
        value=100 * count / SHARES_OF,
        unit="% of traders",
        conditions=f"of {SHARES_OF:,}",
    )


def _calls(formula: Formula) -> list[Formula]:
    kind, *parts = formula
    if kind == "call":
        return [formula, *(call for source in formula[2] for call in _calls(source))]
    if kind in ("series", "number"):
        return []
    return [call for part in parts if isinstance(part, list) for call in _calls(part)]


def _text(call: Formula) -> str:
    _, name, sources, numbers = call
    shown = [source[1] if source[0] == "series" else json.dumps(source) for source in sources]
    return f"{name}({', '.join([*shown, *(f'{number:g}' for number in numbers)])})"
