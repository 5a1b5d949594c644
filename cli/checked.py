"""What `rules check` answers. Needs no market and no table, so that it is fast."""

from __future__ import annotations

import msgspec

from shared.market.interval import Interval
from shared.rules import W_BARS, parse_rule
from shared.rules.preview import Cost, cost_of


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was read. `interval` is None where it means the same on every one."""

    rule: str
    bars_needed: int
    bars_max: int
    cost: Cost
    names: tuple[str, ...]
    interval: Interval | None
    intervals: tuple[Interval, ...]
    instruments: tuple[str, ...]


def check_rule(text: str, interval: Interval | None) -> Checked:
    """Return what a rule is. Raises: InvalidRule."""
    rule = parse_rule(text, interval=interval)
    return Checked(
        rule=rule.canonical,
        bars_needed=rule.bars_needed,
        bars_max=W_BARS,
        cost=cost_of(rule),
        names=tuple(sorted(rule.names)),
        interval=rule.interval,
        intervals=rule.intervals,
        instruments=rule.instruments,
    )


def lines_of(checked: Checked) -> list[str]:
    """Return what a person reads."""
    rows = [
        ("rule", checked.rule),
        ("bars needed", f"{checked.bars_needed} of at most {checked.bars_max}"),
        (
            "cost",
            f"{checked.cost.cost} of at most {checked.cost.cost_max}"
            f" ({checked.cost.rows} rows of values)",
        ),
        ("names", ", ".join(checked.names)),
        ("interval", "any" if checked.interval is None else f"{checked.interval}, as it was read"),
    ]
    if checked.intervals:
        rows.append(("also reads", f"bars of {', '.join(checked.intervals)}"))
    if checked.instruments:
        rows.append(("also reads", ", ".join(checked.instruments)))
    return [
        f"✓ {name:<12} {text}" if not place else f"  {name:<12} {text}"
        for place, (name, text) in enumerate(rows)
    ]
