"""The verdicts of the close before, kept by a warm process instead of being computed again.

Entering and leaving compare two closes; the second of them was evaluated a bar ago, on the same
bars. Correctness does not depend on what is kept: it is used only where the plan is the very same
object and the bars are of one edition, and then the verdicts are equal to the last bit (a verdict
is a function of the last W bars). Pure but for what it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import W_BARS, Plan, Verdicts


class LastClose:
    """The verdicts last found with one shard's plan; of their values and bars nothing is kept."""

    def __init__(self) -> None:
        self._verdicts: Verdicts | None = None

    def keep(self, verdicts: Verdicts) -> None:
        """Remember the verdicts at the close of a window's last bar."""
        self._verdicts = msgspec.structs.replace(
            verdicts,
            window=verdicts.window.without_bars(),
            longer={interval: bars.without_bars() for interval, bars in verdicts.longer.items()},
            rows=np.empty((0, 0)),
        )

    def before(
        self, plan: Plan, window: Window, longer: Mapping[Interval, Window]
    ) -> Verdicts | None:
        """Return the verdicts at the close before a window's last; None if they are not here.

        They know their states only.
        """
        kept = self._verdicts
        if kept is None or kept.plan is not plan or kept.longer.keys() != longer.keys():
            return None
        at_ms = window.closed_at_ms - window.interval.duration_ms
        if kept.window.closed_at_ms != at_ms or not _has_bars(window, kept.window, 1):
            return None
        for interval, bars in kept.longer.items():
            is_newest = bars.closed_at_ms == interval.floor_ms(at_ms)
            newer_count = int(longer[interval].closed_at_ms != bars.closed_at_ms)
            if not is_newest or not _has_bars(longer[interval], bars, newer_count):
                return None
        return kept


def _has_bars(window: Window, earlier: Window, newer_count: int) -> bool:
    """Return whether all bars that counted in `earlier` stand in a window of as many newer ones."""
    newer_ms = window.closed_at_ms - earlier.closed_at_ms
    return (
        newer_ms == newer_count * window.interval.duration_ms
        and min(window.bars - newer_count, earlier.bars) >= W_BARS
        and window.has_bars_of(earlier)
    )
