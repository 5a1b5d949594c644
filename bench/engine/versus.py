"""Ours against each peer: the same rules and bars in one run, verdicts compared, then the ratio.

A peer gets all traders if that ends within the limit, else as many as do; ours is timed on just
those, right before and after the peer.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.engine.formula import Formula, formula_of
from bench.engine.market import draw_columns, window_of
from bench.engine.peers import PEERS, Peer, can_express, install, run_peer, verdicts_of
from bench.engine.workspace import (
    BARS,
    SYMBOLS,
    run_ours,
    workspace,
    write_columns,
    write_rules,
)
from bench.figures import Figure, machine
from bench.traders import draw_rules
from shared.rules import Explanation, build_plan, evaluate, parse_rule

TRADERS = 1_000
# What the design allows a peer: the full set if it ends within ten minutes.
LIMIT_S = 600.0
PILOT_RULES = 10
OUR_RUNS = 15
# Two ways to the same number differ by rounding: nearer than this, relative, a comparison is open.
NEAR = 1e-9
EXAMPLES_MAX = 5


def measure(limit_s: float = LIMIT_S, peers: Sequence[Peer] = PEERS) -> list[Figure]:
    """Return the ratio to each peer.

    Raises: AssertionError, with examples, if a peer finds another verdict.
    """
    install()
    rules = draw_rules(TRADERS)
    formulas = [formula_of(rule) for rule in rules]
    columns = draw_columns(BARS, SYMBOLS)
    found = []
    with workspace() as folder:
        write_columns(folder, columns, with_json=True)
        for peer in peers:
            found.append(_against(peer, folder, rules, formulas, columns, limit_s))
            print(f"  {found[-1].name}: {found[-1].ratio:,.4g}×", flush=True)
    return found


def _against(
    peer: Peer,
    folder: Path,
    rules: Sequence[str],
    formulas: Sequence[Formula],
    columns: NDArray[np.float64],
    limit_s: float,
) -> Figure:
    able = [
        rule for rule, formula in zip(rules, formulas, strict=True) if can_express(peer, formula)
    ]
    write_rules(folder, able, with_formulas=True)
    (pilot_s,) = run_peer(peer, folder, PILOT_RULES, 1)
    # A tenth less than the limit allows: the first rules may be cheaper than the rest.
    count = min(len(able), max(PILOT_RULES, int(0.9 * limit_s / (pilot_s / PILOT_RULES))))
    states = folder / "ours.npy"
    before = run_ours(folder, count, OUR_RUNS, states)
    runs = min(peer.runs_max, max(1, int(limit_s * PILOT_RULES / (pilot_s * count))))
    theirs = run_peer(peer, folder, count, runs)
    after = run_ours(folder, count, OUR_RUNS)
    ours_s = [*before.seconds, *after.seconds]
    near = _compare(
        peer, able[:count], np.load(states), verdicts_of(peer, folder, SYMBOLS), columns
    )
    pairs = count * SYMBOLS
    ours, baseline = statistics.median(ours_s), statistics.median(theirs)
    ratio = baseline / ours
    return Figure(
        name=f"engine_vs_{peer.name}",
        value=pairs / ours,
        unit="verdicts per second",
        baseline=pairs / baseline,
        baseline_name=peer.title,
        ratio=ratio,
        promise=None if peer.promise is None else f"≥ {peer.promise:,.0f}×",
        kept=None if peer.promise is None else ratio >= peer.promise,
        conditions=_conditions(peer, count, len(able), ours_s, theirs, near),
    )


def _conditions(
    peer: Peer, count: int, able: int, ours_s: list[float], theirs_s: list[float], near: int
) -> str:
    left_out = TRADERS - able
    parts = [
        f"{count:,} traders × {SYMBOLS} symbols × {BARS} bars",
        f"the peer lacks functions of {left_out} of {TRADERS:,}" if left_out else "",
        f"as many of {able:,} as end within ten minutes" if count < able else "",
        f"ours {_spread(ours_s)}, the peer {_spread(theirs_s)}",
        f"the peer: {peer.way}",
        "true and not true identical" if not peer.knows_unknown else "verdicts identical",
        f"but {near} within rounding" if near else "",
        f"one thread each, {machine()}",
    ]
    return "; ".join(part for part in parts if part)


def _spread(seconds: Sequence[float]) -> str:
    """Return the median and the extremes in words."""
    low, high = min(seconds), max(seconds)
    middle = statistics.median(seconds)
    if middle < 1:
        shown = f"{1000 * middle:.3g} ms ({1000 * low:.3g}–{1000 * high:.3g}"
    else:
        shown = f"{middle:.3g} s ({low:.3g}–{high:.3g}"
    return f"{shown}, {len(seconds)} runs)"


def _compare(
    peer: Peer,
    rules: Sequence[str],
    ours: NDArray[np.int8],
    theirs: NDArray[np.int8],
    columns: NDArray[np.float64],
) -> int:
    """Return how many verdicts differ because a comparison is within rounding.

    Raises: AssertionError, with examples, if one differs otherwise.
    """
    if not peer.knows_unknown:
        ours, theirs = (ours == 1).astype(np.int8), (theirs == 1).astype(np.int8)
    near, wrong = 0, []
    for rule, symbol in np.argwhere(ours != theirs):
        window = window_of(columns[:, :, symbol : symbol + 1])
        tree = evaluate(build_plan([parse_rule(rules[rule])]), window).tree(0, 0)
        if _is_near(tree, peer.rounding):
            near += 1
        else:
            pair = f"ours {ours[rule, symbol]}, {peer.name} {theirs[rule, symbol]}"
            wrong.append(f"{rules[rule]} of symbol {symbol}: {pair}; {_numbers(tree)}")
    shown = "\n  ".join(wrong[:EXAMPLES_MAX])
    assert not wrong, f"{len(wrong)} of {ours.size} verdicts differ:\n  {shown}"
    return near


def _is_near(tree: Explanation, rounding: float) -> bool:
    values = [part.value for part in tree.parts if part.value is not None]
    if len(values) == 2 and len(tree.parts) == 2:
        left, right = values
        return abs(left - right) <= max(rounding, NEAR * max(abs(left), abs(right)))
    return any(_is_near(part, rounding) for part in tree.parts)


def _numbers(tree: Explanation) -> str:
    if tree.value is not None:
        return f"{tree.text} = {tree.value!r}"
    return ", ".join(_numbers(part) for part in tree.parts)
