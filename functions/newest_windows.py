"""The newest closed bars of a venue and interval, for requests of users."""

from __future__ import annotations

from functions.ports import Windows
from shared.errors import StaleData
from shared.market.interval import Interval
from shared.market.window import Window
from shared.store.windows import WINDOW_BARS


async def load_newest_window(
    windows: Windows, venue: str, interval: Interval, now_ms: int, bars: int = WINDOW_BARS
) -> Window | None:
    """Return the window of the newest closed slot, None if there is no frame at all.

    Raises: StoreUnavailable.
    """
    step_ms = interval.duration_ms
    expected_ms = interval.floor_ms(now_ms) - step_ms
    # The frame of a slot that has just closed may be on its way, the one before is there; of
    # a venue that is behind (stalled, or played back) the store is asked for the newest.
    for open_time_ms in (expected_ms, expected_ms - step_ms):
        try:
            return await windows.load_window(venue, interval, open_time_ms, bars)
        except StaleData:
            continue
    newest_ms = await windows.load_newest_open_time(venue, interval)
    if newest_ms is None:
        return None
    try:
        return await windows.load_window(venue, interval, newest_ms, bars)
    except StaleData:
        return None
