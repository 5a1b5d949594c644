"""In which order the runs of a tick are executed, and which of them wait for a frame. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from functions.ports import RunCall
from shared.market.interval import Interval

# Cron fires within milliseconds of the close, the request worker adds up to a second, and the
# frame follows within about three; a slot older than this either has its frame or will not soon.
JUST_CLOSED_MS = 15_000


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """The shards of one slot; they may be executed at the same time.

    `waits`: the slot has just closed, so its frame may still be on its way.
    """

    closed_at_ms: int
    runs: tuple[RunCall, ...]
    waits: bool


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of one venue and interval, oldest first, one after the other.

    In this order because a cooldown counts from the signal of an earlier close.
    """

    venue: str
    interval: Interval
    steps: tuple[Step, ...]


def plan_dispatch(runs: Sequence[RunCall], now_ms: int) -> list[Lane]:
    """Return the lanes of these runs; different lanes do not wait for each other."""
    lanes: dict[tuple[str, Interval], dict[int, list[RunCall]]] = {}
    for run in runs:
        slots = lanes.setdefault((run.venue, run.interval), {})
        slots.setdefault(run.closed_at_ms, []).append(run)
    return [
        Lane(
            venue=venue,
            interval=interval,
            steps=tuple(
                Step(
                    closed_at_ms=closed_at_ms,
                    runs=tuple(sorted(slots[closed_at_ms], key=lambda run: run.shard)),
                    waits=now_ms - closed_at_ms < JUST_CLOSED_MS,
                )
                for closed_at_ms in sorted(slots)
            ),
        )
        for (venue, interval), slots in lanes.items()
    ]
