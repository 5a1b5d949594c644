"""From traders and a window to the outcome of a run. Pure: no clock, store or log.

`prepare` is paid once for a set of traders (the plan shares their equal parts); `decide` is paid
at every close and works on arrays: Python runs only over rules and actual matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.execute_traders.last_close import LastClose
from functions.execute_traders.verdicts import (
    Part,
    Universe,
    evaluate_rules,
    plan_rules,
    states,
)
from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import CROSS_SECTIONAL, FALSE, TRUE, Plan, Rule, RuleLimits, parse_rule
from shared.runs import Outcome, Run, Signal, Trader, TraderError, Trigger, bars_before

CLOSE = COLUMNS.index("close")
# A run that is evaluated later than this after its close labels its signals late.
LATE_AFTER_MS = 10_000
# Texts, not traders: a thousand traders share a few hundred rules.
PARSED_RULES_MAX = 20_000
ERROR_CHARACTERS_MAX = 500

# The order of the first axis of what `_triggered` returns.
TRIGGERS = (Trigger.ENTER, Trigger.EXIT, Trigger.WHILE)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Traders ready to be evaluated on windows with these `symbols`.

    `rules` are distinct, each with what its cross-sectional functions compare (`rule_universes`);
    `plan` holds all of them (None if they have no common plan); `intervals` are the longer ones
    they read. By trader, in the order of `traders`, who all have a usable rule: `rule_indices`
    int[t] into `rules`, `trigger_indices` int[t] into TRIGGERS, `universes` bool[t, n], `caps`
    int[t], `enabled_at_ms` int[t], `cadence_indices` int[t] into the distinct `cadences`.
    `refused`: those whose rule does not parse, with the reason.
    """

    symbols: tuple[str, ...]
    traders: tuple[Trader, ...]
    rules: tuple[Rule, ...]
    rule_universes: tuple[Universe, ...]
    intervals: tuple[Interval, ...]
    plan: Plan | None
    rule_indices: NDArray[np.int64]
    trigger_indices: NDArray[np.int64]
    universes: NDArray[np.bool_]
    caps: NDArray[np.int64]
    enabled_at_ms: NDArray[np.int64]
    cadences: tuple[str, ...]
    cadence_indices: NDArray[np.int64]
    refused: tuple[tuple[Trader, TraderError], ...]


@lru_cache(maxsize=PARSED_RULES_MAX)
def parse_cached(text: str, interval: Interval, limits: RuleLimits) -> Rule:
    """Return the rule of a text, parsed once. Raises: InvalidRule, every time."""
    return parse_rule(text, limits, interval=interval)


def select_traders(traders: Sequence[Trader], run: Run) -> tuple[Trader, ...]:
    """Return the traders that a run is about: all of its shard, or the one it names."""
    if run.trader_id is None:
        return tuple(traders)
    return tuple(trader for trader in traders if trader.id == run.trader_id)


def prepare(
    traders: Sequence[Trader],
    symbols: Sequence[str],
    interval: Interval,
    limits: RuleLimits = RuleLimits(),  # noqa: B008 (immutable)
) -> Prepared:
    """Return the traders with their rules parsed and merged into one plan."""
    index_of: dict[tuple[str, Universe], int] = {}
    rules: list[Rule] = []
    indices: list[int] = []
    usable: list[Trader] = []
    refused: list[tuple[Trader, TraderError]] = []
    for trader in traders:
        try:
            rule = parse_cached(trader.rule, interval, limits)
        except InvalidRule as error:
            refused.append((trader, _trader_error(trader, error)))
            continue
        # The same text over another universe is another rule only if it compares instruments.
        key = (trader.rule, trader.universe if rule.names & CROSS_SECTIONAL else None)
        if key not in index_of:
            index_of[key] = len(rules)
            rules.append(rule)
        indices.append(index_of[key])
        usable.append(trader)
    rule_universes = tuple(universe for _, universe in index_of)
    cadences = {cadence: i for i, cadence in enumerate(dict.fromkeys(t.cadence for t in usable))}
    return Prepared(
        symbols=tuple(symbols),
        traders=tuple(usable),
        rules=tuple(rules),
        rule_universes=rule_universes,
        intervals=tuple(sorted({i for rule in rules for i in rule.intervals}, key=_length)),
        plan=plan_rules(rules, rule_universes),
        rule_indices=np.array(indices, dtype=np.int64),
        trigger_indices=np.array([TRIGGERS.index(t.trigger) for t in usable], dtype=np.int64),
        universes=_universes(usable, symbols),
        caps=np.array([t.signals_per_close_max for t in usable], dtype=np.int64),
        enabled_at_ms=np.array([t.enabled_at_ms or 0 for t in usable], dtype=np.int64),
        cadences=tuple(cadences),
        cadence_indices=np.array([cadences[t.cadence] for t in usable], dtype=np.int64),
        refused=tuple(refused),
    )


def decide(
    prepared: Prepared,
    window: Window,
    run: Run,
    evaluated_at_ms: int,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
    due: Mapping[str, int] = MappingProxyType({}),
    last: LastClose | None = None,
) -> Outcome:
    """Return the signals, overflows and errors of one run on its window.

    `longer`: the windows of `prepared.intervals` that there are. On one that is not there, or
    lacks its newest bar, rules are unknown.
    `due`: the claim's; a trader of another cadence is skipped, and `enter` and `exit` look back to
    the due close before. A trader that was enabled after the close is skipped unless the run names
    it. The second execution of a run looks only at instruments that were missing in the first.
    Signals are capped a trader, in universe order; the rest is counted.
    `last`: what the same traders' last run found; changes nothing but the time it takes.
    """
    bars = [bars_before(cadence, due) for cadence in prepared.cadences]
    before_bars = np.array(bars, dtype=np.int64)[prepared.cadence_indices]
    eligible = before_bars > 0
    if run.trader_id is None:
        eligible &= prepared.enabled_at_ms <= run.closed_at_ms
    compares = eligible & (prepared.trigger_indices != TRIGGERS.index(Trigger.WHILE))
    further = [bars for bars in np.unique(before_bars[compares]).tolist() if bars > 1]
    instruments = _instruments(window, run)
    parts = evaluate_rules(
        # The tick asks again and again for what is missing, mostly before anything has come.
        prepared.rules if instruments.any() else (),
        prepared.rule_universes,
        prepared.plan,
        window,
        longer,
        with_before=bool(np.any(before_bars[compares] == 1)),
        last=last,
        earlier_bars=further,
    )
    now, before = states(parts, len(prepared.rules), len(window.symbols))
    triggered = _triggered(now, before)
    matched = triggered[prepared.trigger_indices, prepared.rule_indices]
    for bars in further:
        _, before = states(parts, len(prepared.rules), len(window.symbols), bars)
        triggered = _triggered(now, before)
        rows = np.flatnonzero(compares & (before_bars == bars))
        matched[rows] = triggered[prepared.trigger_indices[rows], prepared.rule_indices[rows]]
    matched &= prepared.universes
    matched &= eligible[:, None]
    matched &= instruments
    counts = matched.sum(axis=1)
    for row in np.flatnonzero(counts > prepared.caps):
        matched[row] &= np.cumsum(matched[row]) <= prepared.caps[row]
    overflow = {
        str(prepared.traders[row].id): int(counts[row] - prepared.caps[row])
        for row in np.flatnonzero(counts > prepared.caps)
    }
    refused = [
        error
        for trader, error in prepared.refused
        if bars_before(trader.cadence, due)
        and (run.trader_id is not None or (trader.enabled_at_ms or 0) <= run.closed_at_ms)
    ]
    return Outcome(
        feed=window.feed,
        frame_revision=window.frame_revision,
        complete=window.complete,
        missing_instruments=_missing_instruments(window),
        traders_count=int(eligible.sum()) + len(refused),
        evaluated_at_ms=evaluated_at_ms,
        late=run.is_rerun or evaluated_at_ms - run.closed_at_ms > LATE_AFTER_MS,
        matched_count=int(counts.sum()),
        signals=_signals(prepared, parts, window, matched),
        overflow=overflow,
        errors=(*refused, *_evaluation_errors(prepared, parts, eligible)),
        stats=_count_verdicts(now),
    )


def _length(interval: Interval) -> int:
    return interval.duration_ms


def _universes(traders: Sequence[Trader], symbols: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool[t, n]: which symbols each trader is about; names that are gone match none."""
    position = {symbol: index for index, symbol in enumerate(symbols)}
    universes = np.ones((len(traders), len(symbols)), dtype=np.bool_)
    for row, trader in enumerate(traders):
        if trader.universe is not None:
            universes[row] = False
            universes[row, [position[s] for s in trader.universe if s in position]] = True
    return universes


def _instruments(window: Window, run: Run) -> NDArray[np.bool_]:
    """Return bool[n]: the symbols this run may match.

    A symbol without a kline at this close matches nothing, not even a rule that is true of no
    data; there would be no price to show.
    """
    instruments: NDArray[np.bool_] = ~np.isnan(window.columns[CLOSE, -1])
    if run.is_rerun:
        missing = set(run.missing_instruments or ())
        instruments &= np.array([symbol in missing for symbol in window.symbols], dtype=np.bool_)
    return instruments


def _missing_instruments(window: Window) -> tuple[str, ...]:
    """Return the symbols to evaluate when a newer revision of the frame brings them.

    In a complete frame what is absent does not trade, and will not come.
    """
    return () if window.complete else tuple(window.missing_instruments())


def _triggered(now: NDArray[np.int8], before: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return bool[3, rules, n] in the order of TRIGGERS, by Kleene: unknown never matches."""
    is_true = now == TRUE
    return np.stack([is_true & (before == FALSE), (now == FALSE) & (before == TRUE), is_true])


def _count_verdicts(now: NDArray[np.int8]) -> dict[str, float]:
    """Return how many verdicts of distinct rules on instruments are true, false and unknown."""
    true_count, false_count = int((now == TRUE).sum()), int((now == FALSE).sum())
    return {
        "true_count": true_count,
        "false_count": false_count,
        "unknown_count": now.size - true_count - false_count,
    }


def _signals(
    prepared: Prepared, parts: Sequence[Part], window: Window, matched: NDArray[np.bool_]
) -> tuple[Signal, ...]:
    """Return a signal for each match, by trader and in universe order."""
    rows, columns = np.nonzero(matched)
    # Which rule on which symbol, as one number: traders of the same rule share its values.
    keys = prepared.rule_indices[rows] * len(window.symbols) + columns
    explained = _explain(parts, np.unique(keys), len(window.symbols))
    prices = window.columns[CLOSE, -1].tolist()
    return tuple(
        Signal(
            trader_id=prepared.traders[row].id,
            rule_version=prepared.traders[row].version,
            instrument=window.symbols[column],
            trigger=prepared.traders[row].trigger,
            # The shortest text that gives the same float64: the venue's own decimal.
            price=repr(prices[column]),
            values=explained[key],
        )
        for row, column, key in zip(rows.tolist(), columns.tolist(), keys.tolist(), strict=True)
    )


def _explain(
    parts: Sequence[Part], keys: NDArray[np.int64], symbol_count: int
) -> dict[int, dict[str, float]]:
    """Return key → values of the rule on the symbol; a key is rule index · symbols + column."""
    explained = {}
    for part in parts:
        if part.now is None:
            continue
        first, stop = part.first * symbol_count, (part.first + part.count) * symbol_count
        for key in keys[(first <= keys) & (keys < stop)].tolist():
            rule_index, column = divmod(key - first, symbol_count)
            explained[key] = part.now.values(rule_index, column)
    return explained


def _evaluation_errors(
    prepared: Prepared, parts: Sequence[Part], eligible: NDArray[np.bool_]
) -> list[TraderError]:
    failed = {part.first: part.error for part in parts if part.error is not None}
    if not failed:
        return []
    return [
        _trader_error(trader, failed[rule_index])
        for trader, rule_index, is_eligible in zip(
            prepared.traders, prepared.rule_indices.tolist(), eligible.tolist(), strict=True
        )
        if is_eligible and rule_index in failed
    ]


def _trader_error(trader: Trader, error: Exception) -> TraderError:
    message = str(error)[:ERROR_CHARACTERS_MAX]
    return TraderError(trader_id=trader.id, code=type(error).__name__, message=message)
