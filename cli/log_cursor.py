"""Which lines a follower has shown: none twice, none left out. Pure: time is an argument.

A line gets its id before its transaction ends, so lines become visible out of order. A position
(ops.log_position) names the newest id and the transactions of that moment; once a later one says
that all of those have ended, nothing can appear below that id any more: it becomes the floor. Ids
above the floor are read again each time and told apart by the set of those seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

# An id is given a moment before the transaction has a number of its own.
SETTLE_S = 2.0
# A transaction that stays open for hours must not make the set grow for ever.
SEEN_MAX = 100_000


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log was at one moment; `newest` by part (lines, errors).

    `seen_before`: all transactions before this number have ended. `next_transaction`: every
    transaction that had a number by then is below it.
    """

    seen_before: int
    next_transaction: int
    newest: dict[str, int]


class LogCursor:
    """What one reader has seen."""

    def __init__(self, recent: dict[str, Iterable[int]], recent_max: int) -> None:
        """Begin after the lines there are.

        `recent` holds the newest ids of each part, all of them if they are fewer than `recent_max`.
        """
        self._seen = {part: set(ids) for part, ids in recent.items()}
        # What is older than so many lines, and not visible yet, has been under way for long.
        self.floor = {
            part: min(ids) - 1 if len(ids) >= recent_max else 0 for part, ids in self._seen.items()
        }
        self._pending: deque[tuple[float, int, dict[str, int]]] = deque()
        self.gave_up_count = 0

    @property
    def seen_count(self) -> int:
        """Return how many lines above the floor are known: a read must be able to hold more."""
        return sum(map(len, self._seen.values()))

    def take(
        self, position: Position, ids: Iterable[tuple[str, int]], now_s: float, *, cut: bool
    ) -> set[tuple[str, int]]:
        """Return which of these lines (part, id) are new.

        They are all that match and lie above the floor at this position; `cut`: only the oldest
        of them, there are more to be read at once.
        """
        new = set()
        newest = dict.fromkeys(position.newest, 0) if cut else position.newest
        for part, line_id in ids:
            if cut:
                newest[part] = max(newest[part], line_id)
            if line_id > self.floor[part] and line_id not in self._seen[part]:
                self._seen[part].add(line_id)
                new.add((part, line_id))
        if not self._pending or self._pending[-1][1:] != (position.next_transaction, newest):
            self._pending.append((now_s, position.next_transaction, dict(newest)))
        self._settle(position.seen_before, now_s)
        return new

    def _settle(self, seen_before: int, now_s: float) -> None:
        while self._pending:
            at_s, next_transaction, newest = self._pending[0]
            if next_transaction > seen_before or now_s - at_s < SETTLE_S:
                break
            self._pending.popleft()
            self._raise_floor(newest)
        if self.seen_count > SEEN_MAX:
            self.gave_up_count += 1
            self._raise_floor({part: max(ids, default=0) for part, ids in self._seen.items()})

    def _raise_floor(self, newest: dict[str, int]) -> None:
        for part, line_id in newest.items():
            if line_id > self.floor[part]:
                self.floor[part] = line_id
                self._seen[part] = {known for known in self._seen[part] if known > line_id}
