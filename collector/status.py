"""What /health and /metrics tell: a picture of the collector at one moment.

Edge (reads the living parts), without I/O. Health is the age of the data, never the state of a
socket: 200 only while minutes arrive and are stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.clock import VenueClock
from collector.log_sender import LogSender
from collector.malformed import MalformedLog
from collector.poke import Poker
from collector.publish import Publisher
from collector.session import Session
from collector.venues.binance.rest import BinanceRest
from shared.cost.commands import CommandBudget
from shared.market.frame import Feed
from shared.market.interval import MINUTE_MS, Interval
from shared.store.meter import MONTH_S, CommandMeter

# The newest minute may close up to a minute ago, and then has this long to be published, in s.
FRESH_SLACK_S = 20.0
# A symbol without an update for longer is listed as quiet; small ones trade rarely.
QUIET_MS = 5 * MINUTE_MS
LISTED_MAX = 20


class Status:
    """Holds the parts that are looked at; `session` changes over time."""

    def __init__(
        self,
        *,
        venue: str,
        feed: Feed,
        intervals: tuple[Interval, ...],
        clock: VenueClock,
        rest: BinanceRest,
        publisher: Publisher,
        poker: Poker,
        malformed: MalformedLog,
        meter: CommandMeter,
        budget: CommandBudget,
        sender: LogSender,
    ) -> None:
        self.venue = venue
        self.feed = feed
        self.intervals = intervals
        self.clock = clock
        self.rest = rest
        self.publisher = publisher
        self.poker = poker
        self.malformed = malformed
        self.meter = meter
        self.budget = budget
        self.sender = sender
        self.session: Session | None = None
        self.sessions_count = 0
        self.last_error = ""
        self._steady_since: tuple[float, int] | None = None

    def mark_steady(self, now_s: float) -> None:
        """Start the measurement of commands: history is not a month's habit."""
        self._steady_since = (now_s, self.meter.total)

    def age_of_close_s(self, interval: Interval) -> float | None:
        """Return how long ago the newest stored slot closed, in the venue's seconds."""
        newest = self.session.newest_closed_ms.get(interval) if self.session else None
        return None if newest is None else (self.clock.now_ms() - newest) / 1000

    @property
    def is_fresh(self) -> bool:
        """Return whether the newest minute is stored, as far as it can be."""
        age_s = self.age_of_close_s(Interval.M1)
        is_live = self.session is not None and self.session.phase == "live"
        return is_live and age_s is not None and age_s <= 60 + FRESH_SLACK_S * self.clock.speed

    def commands_per_month(self, now_s: float) -> float | None:
        """Return the projection from what was sent since history is written."""
        if self._steady_since is None or now_s - self._steady_since[0] < 60:
            return None
        since_s, total = self._steady_since
        return (self.meter.total - total) * MONTH_S / (now_s - since_s)

    def latency_ms(self, percentile: float) -> float | None:
        """Return a percentile of the last frame writes."""
        latencies = self.publisher.latencies_ms
        return float(np.percentile(list(latencies), percentile)) if latencies else None

    def report(self, now_s: float) -> dict[str, Any]:
        """Return the body of /health."""
        session = self.session
        closer = session.closer if session else None
        behind = closer.symbols_behind if closer else []
        return {
            "status": "ok" if self.is_fresh else "stale",
            "phase": session.phase if session else "starting",
            "venue": self.venue,
            "feed": self.feed,
            "symbols": len(session.universe.symbols) if session else 0,
            "halted": closer.halted_count if closer else 0,
            "last_close": {
                str(i): {
                    "closed_at_ms": session.newest_closed_ms.get(i) if session else None,
                    "age_s": _rounded(self.age_of_close_s(i)),
                }
                for i in self.intervals
            },
            "gaps": {"count": len(behind), "symbols": behind[:LISTED_MAX]},
            "streams": self._streams(),
            "quiet_symbols": self._quiet(),
            "closes": dict(closer.counts) if closer else {},
            "sessions": self.sessions_count,
            "redis": {
                "write_p50_ms": _rounded(self.latency_ms(50)),
                "write_p99_ms": _rounded(self.latency_ms(99)),
                "pending_frames": self.publisher.pending_count,
                "failures": self.publisher.failures_count,
                "commands": dict(self.meter.commands),
                "commands_per_month": _rounded(self.commands_per_month(now_s)),
                "commands_per_month_planned": self.budget.total,
                "commands_per_month_max": self.budget.limit,
            },
            "rest": {
                "used_weight": self.rest.gate.used_weight,
                "weight_limit": self.rest.gate.weight_limit,
                "refused": self.rest.gate.refused_count,
            },
            "clock": {
                "offset_ms": self.clock.offset_ms,
                "is_wrong": self.clock.is_wrong,
                "follows_venue": self.clock.follows_venue,
            },
            "malformed": dict(self.malformed.counts),
            "pokes": dict(self.poker.counts),
            "log_lines": self.sender.counts,
            "last_error": self.last_error,
        }

    def _streams(self) -> list[dict[str, Any]]:
        groups = self.session.groups if self.session else []
        return [
            {
                "name": group.name,
                "connected": group.is_connected,
                "age_s": _rounded(group.age_of_data_s),
                "reconnects": max(group.connections_count - 1, 0),
                "endings": {str(e): n for e, n in group.endings.items() if n},
                "last_error": group.last_error,
            }
            for group in groups
        ]

    def _quiet(self) -> dict[str, Any]:
        session = self.session
        if session is None or session.phase != "live":
            return {"count": 0, "symbols": []}
        now_ms = self.clock.now_ms()
        quiet = [
            s for s in session.universe.symbols if now_ms - session.heard_ms.get(s, 0) > QUIET_MS
        ]
        return {"count": len(quiet), "symbols": quiet[:LISTED_MAX]}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
