"""What a handler needs of the world outside, as few methods as it uses.

The wiring passes the real parts (shared/store, dispatch.py), tests pass fakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from shared.market.interval import Interval
from shared.market.window import Window
from shared.runs import Claim, Emitted, OpenedRun, Outcome, RunStatus
from shared.usage import UsageReport


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run that was to be executed."""

    run_id: int
    status: RunStatus
    signals_count: int = 0


class Runs(Protocol):
    """The routines of the life of a run; see shared/store/database.py."""

    async def open_slot(
        self, venue: str, interval: Interval, closed_at_ms: int, trader_id: int | None = None
    ) -> list[OpenedRun]: ...

    async def claim_run(
        self, run_id: int, claimed_by: str, known_traders_revision: int | None = None
    ) -> Claim: ...

    async def emit_signals(self, run_id: int, claim_token: str, outcome: Outcome) -> Emitted: ...

    async def fail_run(self, run_id: int, claim_token: str, error: str) -> None: ...


class Traders(Protocol):
    """The routines that save_trader needs."""

    async def store_trader(self, user_id: str, trader: Mapping[str, Any]) -> dict[str, Any]: ...

    async def open_slot(
        self, venue: str, interval: Interval, closed_at_ms: int, trader_id: int | None = None
    ) -> list[OpenedRun]: ...


class Windows(Protocol):
    """The last bars of a venue and interval; see shared/store/windows.py."""

    async def load_window(
        self, venue: str, interval: Interval, last_open_time_ms: int, bars: int = ...
    ) -> Window: ...

    async def load_newest_open_time(self, venue: str, interval: Interval) -> int | None: ...


class Slot(Protocol):
    """A close of one venue and interval."""

    @property
    def venue(self) -> str: ...
    @property
    def interval(self) -> Interval: ...
    @property
    def closed_at_ms(self) -> int: ...


class RunCall(Slot, Protocol):
    """A run to be executed, as a tick or `open_slot` names it."""

    @property
    def run_id(self) -> int: ...
    @property
    def shard(self) -> int: ...


class RunToStart(msgspec.Struct, frozen=True, kw_only=True):
    """A run that `open_slot` has reported: the plainest RunCall."""

    run_id: int
    venue: str
    interval: Interval
    closed_at_ms: int
    shard: int


class Tokens(Protocol):
    """Who a user is; see tokens.py."""

    async def user_id(self, authorization: str) -> str: ...


class Execute(Protocol):
    """Executes one run somewhere; never raises: see dispatch.py."""

    async def __call__(self, run: RunCall) -> RunResult: ...


class RunMeasures(Protocol):
    """What handlers report of the runs they execute; see measures.py."""

    def stage(self, name: str, elapsed_s: float) -> None: ...

    def run(self, status: str) -> None: ...

    def finished_run(
        self, outcome: Outcome, emitted: Emitted, stats: Mapping[str, float]
    ) -> None: ...


class Unmeasured:
    """RunMeasures that measure nothing."""

    def stage(self, name: str, elapsed_s: float) -> None: ...

    def run(self, status: str) -> None: ...

    def finished_run(
        self, outcome: Outcome, emitted: Emitted, stats: Mapping[str, float]
    ) -> None: ...


class Relay(Protocol):
    """Takes what another process has used, to be stored beside our own; see usage.py."""

    def __call__(self, report: UsageReport, /) -> None: ...
