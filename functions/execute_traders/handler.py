"""POST /execute_traders: claim a run, evaluate its traders on its window, store what it found.

Signed calls only. A run that cannot be carried out is given back with the reason, so that the
next tick takes it up; nothing is half stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from functions.edge import decode, read_signed_body, reply_json
from functions.execute_traders.core import decide
from functions.execute_traders.messages import (
    ExecuteTradersReply,
    ExecuteTradersRequest,
    SlotHint,
)
from functions.execute_traders.shards import Shard, ShardCache, prepare_shard
from functions.finished_runs import FinishedRuns
from functions.function_log import FunctionLog
from functions.longer_windows import LongerWindows
from functions.ports import RunMeasures, Runs, Slot, Unmeasured, Windows
from functions.stopwatch import Stopwatch
from shared.errors import ClosebellError, DeadlineExceeded, SlotAlreadyDone, StaleData
from shared.market.window import Window
from shared.rules import RuleLimits
from shared.runs import Claim, Outcome, RunStatus

REASON_CHARACTERS_MAX = 1_000


class ExecuteTraders:
    """The function; keeps the traders and plans of the shards it has seen."""

    def __init__(
        self,
        *,
        runs: Runs,
        windows: Windows,
        finished: FinishedRuns,
        log: FunctionLog,
        secret: str,
        claimed_by: str,
        now_ms: Callable[[], int],
        timeout_s: float,
        limits: RuleLimits = RuleLimits(),  # noqa: B008 (immutable)
        measures: RunMeasures = Unmeasured(),  # noqa: B008 (has no state)
    ) -> None:
        self._measures = measures
        self._runs = runs
        self._windows = windows
        self._longer = LongerWindows(windows, log, now_ms)
        self._limits = limits
        self._finished = finished
        self._log = log
        self._secret = secret
        self._claimed_by = claimed_by
        self._now_ms = now_ms
        self._timeout_s = timeout_s
        self._shards = ShardCache()
        self._evaluating = asyncio.Lock()

    async def __call__(self, request: Request) -> Response:
        """Return an ExecuteTradersReply; raises what the run raised, after giving it back."""
        body = await read_signed_body(request, self._secret, self._now_ms() // 1000)
        asked = decode(ExecuteTradersRequest, body)
        watch = Stopwatch()
        # What the caller says about the slot lets the frame be read while the run is claimed.
        loading = None if asked.slot is None else asyncio.create_task(self._load_early(asked.slot))
        try:
            with watch.stage("claim"):
                claim, shard = await self._claim(asked)
        except SlotAlreadyDone as done:
            return reply_json(await self._already_done(asked.run_id, done))
        finally:
            with watch.stage("load"):
                loaded = None if loading is None else await loading
        try:
            async with asyncio.timeout(self._timeout_s):
                bars = shard.need_bars(claim.due)
                is_short = isinstance(loaded, Window) and loaded.bars < bars
                is_ours = asked.slot is not None and _same_slot(asked.slot, claim.run)
                if loaded is None or is_short or not is_ours:
                    with watch.stage("load"):
                        loaded = await self._load(claim.run, bars)
                reply = await self._carry_out(claim, shard, loaded, watch)
        except Exception as error:
            self._measures.run(RunStatus.FAILED)
            await self._give_back(claim, error)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(
                    f"expected the run to end in {self._timeout_s:g} s", run_id=asked.run_id
                ) from error
            raise
        return reply_json(reply)

    async def _claim(self, asked: ExecuteTradersRequest) -> tuple[Claim, Shard]:
        slot = asked.slot
        known = (
            None
            if slot is None
            else self._shards.known_revision(slot.venue, slot.interval, slot.shard)
        )
        claim = await self._runs.claim_run(asked.run_id, self._claimed_by, known)
        shard = self._shards.update(claim)
        if shard is not None:
            return claim, shard
        # Postgres left out the traders of a shard that is not the one we keep (their number has
        # changed): give the run back and ask for all.
        await self._runs.fail_run(asked.run_id, claim.claim_token, "traders asked for anew")
        claim = await self._runs.claim_run(asked.run_id, self._claimed_by, None)
        shard = self._shards.update(claim)
        assert shard is not None, "claim_run(known_traders_revision => null) sends the traders"
        return claim, shard

    async def _load_early(self, slot: SlotHint) -> Window | ClosebellError:
        """Return the window of a slot whose claim is on its way: as long as it was so far."""
        bars = self._shards.known_bars(slot.venue, slot.interval, slot.shard)
        return await self._load(slot, bars)

    async def _load(self, slot: Slot, bars: int) -> Window | ClosebellError:
        """Return the window of a slot, or why there is none."""
        open_time_ms = slot.closed_at_ms - slot.interval.duration_ms
        try:
            return await self._windows.load_window(slot.venue, slot.interval, open_time_ms, bars)
        except ClosebellError as error:
            return error

    async def _carry_out(
        self, claim: Claim, shard: Shard, loaded: Window | ClosebellError, watch: Stopwatch
    ) -> ExecuteTradersReply:
        run = claim.run
        if isinstance(loaded, StaleData):
            return await self._wait(claim, loaded, watch)
        if isinstance(loaded, ClosebellError):
            raise loaded
        with watch.stage("prepare"):
            prepared = await asyncio.to_thread(
                prepare_shard, shard, run, loaded.symbols, self._limits
            )
        try:
            with watch.stage("load"):
                longer = await self._longer.load(
                    run.venue, run.closed_at_ms, prepared.intervals, bars=loaded.bars
                )
        except StaleData as error:
            return await self._wait(claim, error, watch)
        # One at a time: they share a core anyway, and each takes some tens of megabytes.
        async with self._evaluating:
            evaluated_at_ms = self._now_ms()
            with watch.stage("evaluate"):
                last = shard.last_close if run.trader_id is None else None
                outcome = await asyncio.to_thread(
                    decide, prepared, loaded, run, evaluated_at_ms, longer, claim.due, last
                )
        return await self._save(claim, outcome, watch)

    async def _wait(self, claim: Claim, error: StaleData, watch: Stopwatch) -> ExecuteTradersReply:
        """Give a run back for the next tick: its bars are not all there yet."""
        self._measures.run(RunStatus.WAITING)
        await self._give_back(claim, error)
        return ExecuteTradersReply(
            run_id=claim.run.run_id, status=RunStatus.WAITING, stats=watch.stats
        )

    async def _save(self, claim: Claim, outcome: Outcome, watch: Stopwatch) -> ExecuteTradersReply:
        run_id = claim.run.run_id
        outcome.stats.update(watch.stats)
        with watch.stage("emit"):
            try:
                emitted = await self._runs.emit_signals(run_id, claim.claim_token, outcome)
            except SlotAlreadyDone as done:
                return await self._already_done(run_id, done)
        self._measures.finished_run(outcome, emitted, watch.stats)
        if outcome.complete:
            await self._finished.add(run_id)
        reply = ExecuteTradersReply(
            run_id=run_id,
            status=RunStatus.FINISHED,
            signals_count=emitted.inserted,
            matched_count=outcome.matched_count,
            errors_count=len(outcome.errors),
            stats=watch.stats,
        )
        self._log.line(
            "info",
            "run_finished",
            run_id=run_id,
            interval=str(claim.run.interval),
            closed_at_ms=claim.run.closed_at_ms,
            attempt=claim.run.attempt,
            late=outcome.late,
            traders_count=outcome.traders_count,
            missing_count=len(outcome.missing_instruments),
            signals_count=reply.signals_count,
            matched_count=reply.matched_count,
            errors_count=reply.errors_count,
            stats=reply.stats,
        )
        return reply

    async def _already_done(self, run_id: int, done: SlotAlreadyDone) -> ExecuteTradersReply:
        """Return the reply for a run that is not ours: finished, in other hands, or stopped."""
        reason = done.context.get("reason")
        if reason == "finished":
            await self._finished.add(run_id)
        status = RunStatus.WAITING if reason == "stopped" else RunStatus.ALREADY_DONE
        self._measures.run(status)
        return ExecuteTradersReply(run_id=run_id, status=status)

    async def _give_back(self, claim: Claim, error: Exception) -> None:
        """Release a claimed run with the reason; if even that fails, its lease will."""
        run_id = claim.run.run_id
        code = error.code if isinstance(error, ClosebellError) else type(error).__name__
        self._log.line("warning", "run_given_back", run_id=run_id, code=code, reason=str(error))
        reason = f"{code}: {error}"[:REASON_CHARACTERS_MAX]
        try:
            await self._runs.fail_run(run_id, claim.claim_token, reason)
        except ClosebellError as second:
            self._log.line("warning", "run_release_failed", run_id=run_id, code=second.code)


def _same_slot(hint: Slot, run: Slot) -> bool:
    return (hint.venue, hint.interval, hint.closed_at_ms) == (
        run.venue,
        run.interval,
        run.closed_at_ms,
    )
