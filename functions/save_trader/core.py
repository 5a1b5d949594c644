"""What a trader would do on the newest closed bars, before it is stored. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.rule_checks import check_reads, nearest_instrument
from shared.errors import InvalidRequest, InvalidRule
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import FALSE, TRUE, UNKNOWN, Rule, RuleLimits, build_plan, evaluate, parse_rule
from shared.runs import Trigger

CLOSE = COLUMNS.index("close")
# Reasons are counted over this many instruments; they are nearly always the same one.
REASONS_SAMPLED = 50


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument on which the rule is true, with the values that explain it."""

    instrument: str
    values: dict[str, float]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on the last bar of a window; counts are within the trader's universe.

    `triggered_count`: matches of the trigger. `unknown_reason`: the most frequent one, None if
    nothing is unknown.
    """

    closed_at_ms: int | None
    matched_count: int
    triggered_count: int
    known_count: int
    unknown_count: int
    matches: tuple[Match, ...]
    unknown_reason: str | None


def check_rule(text: str, interval: Interval, limits: RuleLimits) -> Rule:
    """Return the parsed rule. Raises: InvalidRule with line, column and suggestion."""
    return parse_rule(text, limits, interval=interval)


def no_data_yet(venue: str, interval: str) -> Trial:
    """Return the trial of a rule for which there is no frame at all."""
    return Trial(
        closed_at_ms=None,
        matched_count=0,
        triggered_count=0,
        known_count=0,
        unknown_count=0,
        matches=(),
        unknown_reason=f"no {interval} klines of {venue} yet",
    )


def try_rule(
    rule: Rule,
    universe: Sequence[str] | None,
    trigger: Trigger,
    window: Window,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
    *,
    matches_max: int,
    before_bars: int = 1,
) -> Trial:
    """Return what the rule says on the last bar of a window; a trigger compares it with the bar so
    many before.

    Raises: InvalidRequest on `universe` if it names an instrument that is not followed;
    InvalidRule if the rule reads one, or an interval, that is not followed, or is unknown on every
    instrument: it would never match.
    """
    columns = _columns(universe, window)
    check_reads(rule, window, longer)
    plan = build_plan([rule], [None if universe is None else tuple(universe)])
    verdicts = evaluate(plan, window, 0, longer=longer)
    state = verdicts.state(0)[columns]
    # A symbol without a kline at this close is unknown, whatever the rule says.
    state = np.where(np.isnan(window.columns[CLOSE, -1, columns]), UNKNOWN, state)
    unknown = columns[state == UNKNOWN]
    reasons = Counter(
        reason
        for column in unknown[:REASONS_SAMPLED].tolist()
        if (reason := verdicts.unknown_reason(0, column)) is not None
    )
    reason = reasons.most_common(1)[0][0] if reasons else "no kline at this close"
    if len(unknown) == len(columns):
        raise InvalidRule(
            f"expected a rule that is known on some instrument, was unknown on all: {reason}",
            hint="use fewer bars, or wait until enough klines have closed",
        )
    if trigger is Trigger.WHILE:
        triggered = state == TRUE
    else:
        before = evaluate(plan, window, before_bars, longer=longer).state(0)[columns]
        now_is, before_was = (TRUE, FALSE) if trigger is Trigger.ENTER else (FALSE, TRUE)
        triggered = (state == now_is) & (before == before_was)
    matched = columns[state == TRUE]
    return Trial(
        closed_at_ms=window.closed_at_ms,
        matched_count=len(matched),
        triggered_count=int(triggered.sum()),
        known_count=len(columns) - len(unknown),
        unknown_count=len(unknown),
        matches=tuple(
            Match(instrument=window.symbols[column], values=verdicts.values(0, column))
            for column in matched[:matches_max].tolist()
        ),
        unknown_reason=reason if len(unknown) else None,
    )


def _columns(universe: Sequence[str] | None, window: Window) -> NDArray[np.int64]:
    """Return the positions of a universe in the window, in universe order."""
    if universe is None:
        return np.arange(len(window.symbols))
    position = window.instrument_index()
    for symbol in universe:
        if symbol not in position:
            hint, suggestion = nearest_instrument(symbol, window)
            raise InvalidRequest(
                f"expected an instrument that is followed, was {symbol}",
                hint=hint,
                field="universe",
                suggestion=suggestion,
            )
    return np.array(sorted({position[symbol] for symbol in universe}), dtype=np.int64)
