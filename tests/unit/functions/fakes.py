"""Parts passed to the functions instead of Postgres, Redis and the network; values for runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import numpy as np
from starlette.requests import Request

from functions.function_log import FunctionLog
from functions.ports import RunCall, RunResult
from functions.router import Handler, Router
from functions.usage import FunctionUsage
from shared.errors import NotFound, SlotAlreadyDone, StaleData
from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.runs import Claim, Emitted, OpenedRun, Outcome, Run, RunStatus, Trader, Trigger
from shared.signing import signed_headers

SECRET = "a-secret-of-the-tests"
NOW_MS = 1_760_000_040_500
CLOSED_AT_MS = 1_760_000_040_000
USER_ID = "11111111-1111-4111-8111-111111111111"


def trader(id: int = 1, **fields: Any) -> Trader:
    """A trader that is true of everything with a price, unless told otherwise."""
    given: dict[str, Any] = {"rule": "close > 0", "trigger": Trigger.WHILE, "version": 1}
    given |= {"user_id": USER_ID, "signals_per_close_max": 500, "enabled_at_ms": 0}
    return Trader(id=id, **(given | fields))


def run(run_id: int = 7, **fields: Any) -> Run:
    """The only shard of the 1m slot CLOSED_AT_MS."""
    given: dict[str, Any] = {
        "venue": "binance",
        "interval": Interval.M1,
        "closed_at_ms": CLOSED_AT_MS,
    }
    given |= {"shard": 0, "shard_count": 1, "origin": "live", "attempt": 1}
    return Run(run_id=run_id, **(given | fields))


def window(closes: Mapping[str, Sequence[float]], **fields: Any) -> Window:
    """501 bars of each symbol, of which `closes` are the last; NaN before and where NaN is given.

    All columns hold the close.
    """
    columns = np.full((len(COLUMNS), 501, len(closes)), np.nan)
    for index, series in enumerate(closes.values()):
        columns[:, 501 - len(series) :, index] = series
    closed_at_ms = fields.pop("closed_at_ms", CLOSED_AT_MS)
    given: dict[str, Any] = {"interval": Interval.M1, "frame_revision": 1, "feed": Feed.SIMULATED}
    given |= {"complete": not np.isnan(columns[0, -1]).any()} | fields
    interval: Interval = given["interval"]
    last_ms = closed_at_ms - interval.duration_ms
    times = last_ms - interval.duration_ms * np.arange(500, -1, -1, dtype=np.int64)
    return Window(
        venue="binance",
        symbols=tuple(closes),
        open_times_ms=times,
        columns=columns,
        **given,
    )


class FakeDatabase:
    """Runs and traders in memory, with the rules of the routines that matter to a caller."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.status: dict[int, str] = {}
        self.tokens: dict[int, str] = {}
        self.traders: tuple[Trader, ...] = ()
        self.revision = 1
        self.due: dict[str, int] = {}
        self.known: list[int | None] = []
        self.outcomes: list[Outcome] = []
        self.given_back: list[tuple[int, str]] = []
        self.logs: list[Mapping[str, Any]] = []
        self.stored: list[tuple[str, Mapping[str, Any]]] = []
        self.opened: list[tuple[str, Interval, int, int | None]] = []
        self.errors: dict[str, Exception] = {}
        self.stopped = False

    def add(self, run: Run, status: str = "open") -> None:
        self.runs[run.run_id] = run
        self.status[run.run_id] = status

    async def open_slot(
        self, venue: str, interval: Interval, closed_at_ms: int, trader_id: int | None = None
    ) -> list[OpenedRun]:
        self._fail("open_slot")
        self.opened.append((venue, interval, closed_at_ms, trader_id))
        slot = (venue, interval, closed_at_ms, trader_id)
        return [
            OpenedRun(run_id=r.run_id, shard=r.shard, status=self.status[r.run_id])
            for r in self.runs.values()
            if (r.venue, r.interval, r.closed_at_ms, r.trader_id) == slot
        ]

    async def claim_run(
        self, run_id: int, claimed_by: str, known_traders_revision: int | None = None
    ) -> Claim:
        self._fail("claim_run")
        self.known.append(known_traders_revision)
        if run_id not in self.runs:
            raise NotFound("expected a run")
        run = self.runs[run_id]
        incomplete = self.status[run_id] == "finished" and bool(run.missing_instruments)
        if self.stopped or not (self.status[run_id] == "open" or incomplete):
            reason = "stopped" if self.stopped else self.status[run_id]
            raise SlotAlreadyDone("expected an open run", reason=reason)
        self.status[run_id] = "claimed"
        self.tokens[run_id] = str(uuid4())
        known = known_traders_revision == self.revision
        return Claim(
            claim_token=self.tokens[run_id],
            run=run,
            traders_revision=self.revision,
            traders=None if known else self.traders,
            due=self.due,
        )

    async def emit_signals(self, run_id: int, claim_token: str, outcome: Outcome) -> Emitted:
        self._fail("emit_signals")
        if self.status[run_id] != "claimed" or self.tokens[run_id] != claim_token:
            raise SlotAlreadyDone("expected the holder", reason="claimed")
        # What cannot be JSON must not get here.
        json.dumps(msgspec.to_builtins(outcome), allow_nan=False)
        self.outcomes.append(outcome)
        self.status[run_id] = "finished"
        self.runs[run_id] = msgspec.structs.replace(
            self.runs[run_id],
            frame_revision=outcome.frame_revision,
            missing_instruments=outcome.missing_instruments,
        )
        return Emitted(inserted=len(outcome.signals))

    async def fail_run(self, run_id: int, claim_token: str, error: str) -> None:
        self._fail("fail_run")
        self.given_back.append((run_id, error))
        self.status[run_id] = "open"

    async def store_trader(self, user_id: str, trader: Mapping[str, Any]) -> dict[str, Any]:
        self._fail("store_trader")
        self.stored.append((user_id, trader))
        return {"id": 41, "version": 1, **trader}

    async def write_logs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._fail("write_logs")
        self.logs += rows

    def _fail(self, name: str) -> None:
        if name in self.errors:
            raise self.errors[name]


class FakeWindows:
    """Windows by (interval, close); `looks` counts what was asked."""

    def __init__(self, *windows: Window) -> None:
        self.windows = {(w.interval, w.closed_at_ms): w for w in windows}
        self.looks: list[tuple[Interval, int]] = []
        self.bars: list[int] = []
        self.errors: list[Exception] = []

    async def load_window(
        self, venue: str, interval: Interval, last_open_time_ms: int, bars: int = 501
    ) -> Window:
        closed_at_ms = last_open_time_ms + interval.duration_ms
        self.looks.append((interval, closed_at_ms))
        self.bars.append(bars)
        if self.errors:
            raise self.errors.pop(0)
        if (interval, closed_at_ms) not in self.windows:
            raise StaleData("expected the frame, was missing")
        return self.windows[(interval, closed_at_ms)]

    async def load_newest_open_time(self, venue: str, interval: Interval) -> int | None:
        closes = [at for known, at in self.windows if known == interval]
        return max(closes) - interval.duration_ms if closes else None


class FakeExecute:
    """Notes the runs that were started; `results` says what becomes of them."""

    def __init__(self) -> None:
        self.started: list[RunCall] = []
        self.results: dict[int, RunResult] = {}

    async def __call__(self, run: RunCall) -> RunResult:
        self.started.append(run)
        default = RunResult(run_id=run.run_id, status=RunStatus.FINISHED, signals_count=3)
        return self.results.get(run.run_id, default)

    @property
    def run_ids(self) -> list[int]:
        return [run.run_id for run in self.started]


def function_log(database: FakeDatabase) -> FunctionLog:
    return FunctionLog(database.write_logs, lambda: NOW_MS, pause_s=0.0)


def client(
    routes: Mapping[tuple[str, str], Handler],
    log: FunctionLog,
    origin: str = "http://127.0.0.1:9",
    usage: FunctionUsage | None = None,
) -> httpx.AsyncClient:
    """A client of these functions in this process, behind the router."""
    router = Router(routes, log=log, usage=usage, dashboard_origin=origin)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await router(Request(scope, receive))
        await response(scope, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://functions")


def signed(content: Any, *, at_ms: int = NOW_MS, secret: str = SECRET) -> dict[str, Any]:
    """The arguments of a signed POST of this JSON."""
    body = json.dumps(content).encode()
    return {"content": body, "headers": signed_headers(secret, at_ms // 1000, body)}
