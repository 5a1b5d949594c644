"""POST /trigger_executions: start the runs of a tick, or of one slot.

Signed calls only. The collector's poke makes a signal fast; the tick of cron is the safety net
behind it and normally finds its run finished while it waits for the frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from functions.edge import decode, read_signed_body, reply_json
from functions.finished_runs import FinishedRuns
from functions.function_log import FunctionLog
from functions.ports import (
    Execute,
    Relay,
    RunCall,
    RunMeasures,
    RunResult,
    Runs,
    RunToStart,
    Unmeasured,
    Windows,
)
from functions.stopwatch import Stopwatch
from functions.trigger_executions.core import Lane, Step, plan_dispatch
from functions.trigger_executions.messages import (
    RunReport,
    TriggerReply,
    TriggerRequest,
)
from shared.errors import StaleData, StoreUnavailable
from shared.runs import RunStatus
from shared.usage import UsageReport

# Each look at a frame is a Redis command; the poke normally makes the first one unnecessary.
LOOK_EVERY_S = 1.0
# Of a slot of many shards; the first is enough to find the others.
RUN_IDS_TOLD_MAX = 20
# A slot of a poke or by hand that needs no work any more, in the row's own words.
DONE = "finished"


class TriggerExecutions:
    """The function; `execute` starts one run and never raises."""

    def __init__(
        self,
        *,
        runs: Runs,
        windows: Windows,
        execute: Execute,
        relay_usage: Relay,
        finished: FinishedRuns,
        log: FunctionLog,
        secret: str,
        now_ms: Callable[[], int],
        frame_wait_s: float,
        timeout_s: float,
        look_every_s: float = LOOK_EVERY_S,
        measures: RunMeasures = Unmeasured(),  # noqa: B008 (has no state)
    ) -> None:
        self._measures = measures
        self._runs = runs
        self._windows = windows
        self._execute = execute
        self._relay_usage = relay_usage
        self._finished = finished
        self._log = log
        self._secret = secret
        self._now_ms = now_ms
        self._frame_wait_s = frame_wait_s
        self._timeout_s = timeout_s
        self._look_every_s = look_every_s

    async def __call__(self, request: Request) -> Response:
        """Return a TriggerReply with the fate of each run; one that fails hurts no other."""
        body = await read_signed_body(request, self._secret, self._now_ms() // 1000)
        asked = decode(TriggerRequest, body)
        watch = Stopwatch()
        if asked.usage is not None:
            used = UsageReport(reporter=asked.usage.reporter, totals=asked.usage.totals)
            self._relay_usage(used)
        runs, results = await self._load(asked)
        is_tick = asked.runs is not None
        lanes = plan_dispatch(runs, self._now_ms())
        try:
            async with asyncio.timeout(self._timeout_s), asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(self._start_lane(lane, results, wait_for_frames=is_tick))
        except TimeoutError:
            # What was not reached stays unfinished: the next tick starts with it.
            self._log.line("warning", "trigger_deadline_exceeded", runs_count=len(runs))
        reports = [
            RunReport(run_id=r.run_id, status=r.status, signals_count=r.signals_count)
            for r in results.values()
        ]
        return reply_json(TriggerReply(runs=reports, ms=watch.total_ms))

    async def _load(self, asked: TriggerRequest) -> tuple[Sequence[RunCall], dict[int, RunResult]]:
        """Return the runs to start, and the result of every run as long as nothing is known."""
        if asked.runs is not None:
            waiting = {
                r.run_id: RunResult(run_id=r.run_id, status=RunStatus.WAITING) for r in asked.runs
            }
            return asked.runs, waiting
        assert asked.interval is not None and asked.closed_at_ms is not None, "see check_kind"
        opened = await self._runs.open_slot(
            asked.venue, asked.interval, asked.closed_at_ms, asked.trader_id
        )
        results, runs = {}, []
        for run in opened:
            done = run.status == DONE
            status = RunStatus.ALREADY_DONE if done else RunStatus.WAITING
            results[run.run_id] = RunResult(run_id=run.run_id, status=status)
            if not done:
                runs.append(
                    RunToStart(
                        run_id=run.run_id,
                        venue=asked.venue,
                        interval=asked.interval,
                        closed_at_ms=asked.closed_at_ms,
                        shard=run.shard,
                    )
                )
        return runs, results

    async def _start_lane(
        self, lane: Lane, results: dict[int, RunResult], *, wait_for_frames: bool
    ) -> None:
        for step in lane.steps:
            watch = Stopwatch()
            try:
                came = True
                if wait_for_frames and step.waits:
                    came = await self._frame_came(lane, step)
                    self._measures.stage("frame_wait", watch.total_ms / 1000)
                self._tell(lane, step, watch.total_ms, by_tick=wait_for_frames, came=came)
                if not came:
                    continue
                started = await asyncio.gather(*(self._start(run) for run in step.runs))
            # Our own mistake in one lane must not cancel the others; it is logged, not hidden.
            except Exception as error:
                self._log.line("error", "lane_crashed", interval=lane.interval, exc_info=error)
                started = [
                    RunResult(run_id=run.run_id, status=RunStatus.FAILED) for run in step.runs
                ]
            results.update({result.run_id: result for result in started})

    def _tell(self, lane: Lane, step: Step, waited_ms: float, *, by_tick: bool, came: bool) -> None:
        """Say who started a slot and what it waited for: what its runs cannot know."""
        run_ids = [run.run_id for run in step.runs]
        self._log.line(
            "info" if came else "warning",
            "slot_started" if came else "frame_awaited",
            run_id=run_ids[0],
            run_ids=run_ids[:RUN_IDS_TOLD_MAX],
            interval=str(lane.interval),
            closed_at_ms=step.closed_at_ms,
            by="tick" if by_tick else "poke",
            already_finished=self._finished.contains_all(run_ids),
            waited_ms=waited_ms,
        )

    async def _start(self, run: RunCall) -> RunResult:
        if self._finished.contains_all([run.run_id]):
            return RunResult(run_id=run.run_id, status=RunStatus.ALREADY_DONE)
        return await self._execute(run)

    async def _frame_came(self, lane: Lane, step: Step) -> bool:
        """Wait for the frame of a slot, or for the poke to have finished its runs.

        Returns False when the time for it is over: symbols, or all of it, come late.
        """
        run_ids = [run.run_id for run in step.runs]
        open_time_ms = step.closed_at_ms - lane.interval.duration_ms
        remaining_s = self._frame_wait_s
        while True:
            pause_s = min(self._look_every_s, remaining_s)
            if await self._finished.wait_for(run_ids, pause_s):
                return True
            remaining_s -= pause_s
            try:
                await self._windows.load_window(lane.venue, lane.interval, open_time_ms)
                return True
            except StaleData:
                if remaining_s <= 0:
                    return False
            except StoreUnavailable as error:
                self._log.line("warning", "frame_look_failed", code=error.code, reason=str(error))
                if remaining_s <= 0:
                    return False
