"""The runs this process has finished lately, so that a waiting tick need not ask the stores.

Finished for good, that is with a complete frame; an incomplete run is executed again. Only a
shortcut: whoever waits in another process finds out from `claim_run`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection

RUNS_MAX = 10_000


class FinishedRuns:
    """Remembers the ids of finished runs and wakes those who wait for them."""

    def __init__(self) -> None:
        self._run_ids: OrderedDict[int, None] = OrderedDict()
        self._changed = asyncio.Condition()

    async def add(self, run_id: int) -> None:
        """Note that a run is finished."""
        async with self._changed:
            self._run_ids[run_id] = None
            while len(self._run_ids) > RUNS_MAX:
                self._run_ids.popitem(last=False)
            self._changed.notify_all()

    def contains_all(self, run_ids: Collection[int]) -> bool:
        """Return whether all these runs are known to be finished."""
        return all(run_id in self._run_ids for run_id in run_ids)

    async def wait_for(self, run_ids: Collection[int], timeout_s: float) -> bool:
        """Wait until all these runs are finished; return False when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.contains_all(run_ids))
        except TimeoutError:
            return False
        return True
