"""Windows of the longer intervals that rules read with tf=, as of one close.

Each costs one command a run when warm. Not here: what a rule reads (shared/rules), which bar of
them counts (shared/rules/evaluate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from functions.function_log import FunctionLog
from functions.ports import Windows
from shared.errors import StaleData
from shared.market.interval import Interval
from shared.market.window import Window
from shared.store.windows import WINDOW_BARS

# What closes together is stored together; a frame that is not there after two ticks will not be
# waited for: its rules are unknown ("stale") at this close, everybody else's go on.
WAIT_MS = 120_000
# An interval without a frame costs several commands to find out; it is not asked for each minute.
ASK_AGAIN_MS = 600_000


class LongerWindows:
    """Loads them, remembering for a while which intervals are not there. One per process."""

    def __init__(self, windows: Windows, log: FunctionLog, now_ms: Callable[[], int]) -> None:
        self._windows = windows
        self._log = log
        self._now_ms = now_ms
        self._absent_until_ms: dict[tuple[str, Interval], int] = {}

    async def load(
        self,
        venue: str,
        closed_at_ms: int,
        intervals: Iterable[Interval],
        *,
        wait_ms: int = WAIT_MS,
        bars: int = WINDOW_BARS,
    ) -> dict[Interval, Window]:
        """Return the windows of `bars` that end with the newest bar closed by `closed_at_ms`.

        Where that bar is missing, the newest window there is: rules are unknown on it. Raises:
        StaleData if such a bar closed less than `wait_ms` ago and is about to come;
        StoreUnavailable.
        """
        found = {}
        for interval in intervals:
            window = await self._load(venue, closed_at_ms, interval, wait_ms, bars)
            if window is not None:
                found[interval] = window
        return found

    async def _load(
        self, venue: str, closed_at_ms: int, interval: Interval, wait_ms: int, bars: int
    ) -> Window | None:
        key = (venue, interval)
        now_ms = self._now_ms()
        if now_ms < self._absent_until_ms.get(key, 0):
            return None
        last_closed_ms = interval.floor_ms(closed_at_ms)
        open_time_ms = last_closed_ms - interval.duration_ms
        try:
            return await self._windows.load_window(venue, interval, open_time_ms, bars)
        except StaleData:
            newest_ms = await self._windows.load_newest_open_time(venue, interval)
            is_coming = newest_ms == open_time_ms - interval.duration_ms
            if is_coming and now_ms - last_closed_ms < wait_ms:
                raise
            self._log.line(
                "warning",
                "longer_interval_stale",
                venue=venue,
                interval=str(interval),
                expected_open_time_ms=open_time_ms,
                newest_open_time_ms=newest_ms,
            )
            if newest_ms is None:
                self._absent_until_ms[key] = now_ms + ASK_AGAIN_MS
                return None
        try:
            return await self._windows.load_window(venue, interval, newest_ms, bars)
        except StaleData:
            return None
