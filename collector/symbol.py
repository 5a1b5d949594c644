"""What the closer knows of one symbol. Pure; used by collector/klines.py only."""

from __future__ import annotations

from collector.rollup import SymbolRollUps
from shared.market.interval import Interval
from shared.market.kline import Kline


class Asked:
    """A range that is missing and is being asked for, again and again, ever more slowly."""

    def __init__(self) -> None:
        self.in_flight = False
        self.attempts = 0
        self.not_before_ms = 0

    def may_ask(self, now_ms: int) -> bool:
        """Return whether it is time to ask (again)."""
        return not self.in_flight and now_ms >= self.not_before_ms

    def answered(self, now_ms: int, retry_ms: int, *, is_done: bool) -> None:
        """Note the end of a question; unless it is done the wait doubles, up to 16 times."""
        self.in_flight = False
        self.attempts = 0 if is_done else self.attempts + 1
        self.not_before_ms = 0 if is_done else now_ms + retry_ms * 2 ** min(self.attempts - 1, 4)


class SymbolState:
    """One symbol: `next_open_ms` is the first minute that is not applied yet.

    `ahead`: closes that came while an earlier minute is missing. `spans`: higher klines that must
    be asked for. `silent_closes`: minutes in a row that only REST told of, with trades in them.
    """

    def __init__(self, name: str, index: int, next_open_ms: int, roll_ups: SymbolRollUps) -> None:
        self.name = name
        self.index = index
        self.next_open_ms = next_open_ms
        self.roll_ups = roll_ups
        self.ahead: dict[int, Kline] = {}
        self.minutes = Asked()
        self.spans: dict[tuple[Interval, int], Asked] = {}
        self.silent_closes = 0
