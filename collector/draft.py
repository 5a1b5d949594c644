"""Frames in the making: rows are put in as symbols close. Pure; used by collector/klines.py.

Not here: which row belongs in, and what is done with a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed, Frame
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import COLUMNS, Kline

# A complete frame is kept this long for corrections; an incomplete one for repairs.
KEEP_COMPLETE_MS = 10 * MINUTE_MS
KEEP_MS = 120 * MINUTE_MS


class FrameStamp(NamedTuple):
    """What all frames of a session have in common."""

    venue: str
    symbol_list_id: str
    feed: Feed


class Draft:
    """The rows of one (interval, open time), symbols in universe order.

    `resolved[i]`: the row of symbol i is there, or it is known that the venue has none.
    `event_times_ms[i]`: of the close event the row came from; 0 if it came by REST or roll-up.
    `revision` 0 = not published yet; `dirty` = differs from what was published;
    `is_settled` = published as complete, and nothing changed since.
    """

    def __init__(
        self, interval: Interval, open_time_ms: int, symbol_count: int, deadline_ms: int
    ) -> None:
        self.interval = interval
        self.open_time_ms = open_time_ms
        self.deadline_ms = deadline_ms
        self.columns: NDArray[np.float64] = np.full((len(COLUMNS), symbol_count), np.nan)
        self.resolved: NDArray[np.bool_] = np.zeros(symbol_count, dtype=np.bool_)
        self.event_times_ms: NDArray[np.int64] = np.zeros(symbol_count, dtype=np.int64)
        self.revision = 0
        self.dirty = False
        self.is_settled = False
        self.received_at_ms = 0
        self.published_at_ms = 0

    @classmethod
    def of_frame(cls, frame: Frame, resolved: NDArray[np.bool_]) -> Draft:
        """Return the draft that continues a frame which was already published."""
        draft = cls(frame.interval, frame.open_time_ms, len(frame.present), 0)
        draft.columns[:] = frame.columns
        draft.resolved |= resolved
        draft.revision = frame.revision
        draft.received_at_ms = frame.received_at_ms
        draft.published_at_ms = frame.published_at_ms
        return draft

    @property
    def closed_at_ms(self) -> int:
        """Return the instant at which its klines close."""
        return self.open_time_ms + self.interval.duration_ms

    @property
    def present(self) -> NDArray[np.bool_]:
        """Return which rows are there."""
        present: NDArray[np.bool_] = ~np.isnan(self.columns[0])
        return present

    @property
    def is_empty(self) -> bool:
        """Return whether no row is there: such a frame says nothing."""
        return bool(np.isnan(self.columns[0]).all())

    def holds(self, index: int, kline: Kline) -> bool:
        """Return whether the row of the symbol equals the kline."""
        return bool((self.columns[:, index] == kline.row()).all())

    def put(self, index: int, kline: Kline, event_time_ms: int) -> None:
        """Set the row of a symbol."""
        self.columns[:, index] = kline.row()
        self.resolved[index] = True
        self.event_times_ms[index] = event_time_ms
        self.received_at_ms = max(self.received_at_ms, kline.receive_time_ms)
        self.dirty = True
        self.is_settled = False

    def resolve_as_void(self, index: int) -> None:
        """Know that the venue has no kline of this symbol here."""
        self.resolved[index] = True

    def is_complete(self, trading: NDArray[np.bool_]) -> bool:
        """Return whether every symbol that trades is resolved."""
        return bool((self.resolved | ~trading).all())

    def to_frame(self, stamp: FrameStamp, *, complete: bool, now_ms: int) -> Frame:
        """Return the next revision as a frame of its own."""
        self.revision += 1
        self.dirty = False
        self.is_settled = complete
        self.published_at_ms = now_ms
        return Frame(
            venue=stamp.venue,
            interval=self.interval,
            open_time_ms=self.open_time_ms,
            symbol_list_id=stamp.symbol_list_id,
            revision=self.revision,
            feed=stamp.feed,
            complete=complete,
            received_at_ms=self.received_at_ms,
            published_at_ms=now_ms,
            present=self.present,
            columns=self.columns.copy(),
        )


class Drafts:
    """All drafts, by interval and open time, oldest first.

    `live_from_ms`: frames that close later are made here. Waits in ms: see CloserConfig.
    """

    def __init__(
        self,
        intervals: Iterable[Interval],
        symbol_count: int,
        *,
        live_from_ms: int,
        grace_ms: int,
        revision_gap_ms: int,
    ) -> None:
        self._symbol_count = symbol_count
        self._live_from_ms = live_from_ms
        self._grace_ms = grace_ms
        self._revision_gap_ms = revision_gap_ms
        self._drafts: dict[Interval, dict[int, Draft]] = {interval: {} for interval in intervals}

    def find(self, interval: Interval, open_time_ms: int) -> Draft | None:
        """Return a draft that exists."""
        return self._drafts[interval].get(open_time_ms)

    def get(self, interval: Interval, open_time_ms: int, now_ms: int) -> Draft | None:
        """Return the draft of a frame that is ours to make, or None if it is too old."""
        draft = self.find(interval, open_time_ms)
        if draft is not None:
            return draft
        closed_at_ms = open_time_ms + interval.duration_ms
        if closed_at_ms <= max(self._live_from_ms, now_ms - KEEP_MS):
            return None
        draft = Draft(interval, open_time_ms, self._symbol_count, closed_at_ms + self._grace_ms)
        self.adopt(draft)
        return draft

    def adopt(self, draft: Draft) -> None:
        """Add a draft in its place."""
        drafts = self._drafts[draft.interval]
        is_newest = not drafts or draft.open_time_ms > next(reversed(drafts))
        drafts[draft.open_time_ms] = draft
        if not is_newest:
            self._drafts[draft.interval] = dict(sorted(drafts.items()))

    def take_due(self, now_ms: int, trading: NDArray[np.bool_], stamp: FrameStamp) -> list[Frame]:
        """Return the frames to publish now: first editions in order, revisions as they come."""
        frames = []
        for drafts in self._drafts.values():
            for draft in drafts.values():
                if draft.is_settled:
                    continue
                is_complete = draft.is_complete(trading)
                if draft.revision:
                    wait_ms = draft.published_at_ms + self._revision_gap_ms
                    is_due = is_complete or (draft.dirty and now_ms >= wait_ms)
                else:
                    is_due = is_complete or now_ms >= draft.deadline_ms
                    if not is_due:
                        # Later ones wait for their turn.
                        break
                if is_due and not draft.is_empty:
                    frames.append(draft.to_frame(stamp, complete=is_complete, now_ms=now_ms))
        return frames

    def drop_old(self, now_ms: int, trading: NDArray[np.bool_]) -> None:
        """Forget drafts that nothing can change any more."""
        for drafts in self._drafts.values():
            for open_time_ms, draft in list(drafts.items()):
                age_ms = now_ms - draft.closed_at_ms
                is_done = not draft.dirty and draft.is_complete(trading)
                if age_ms > KEEP_MS or (is_done and age_ms > KEEP_COMPLETE_MS):
                    del drafts[open_time_ms]
