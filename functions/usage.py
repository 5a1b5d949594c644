"""What the functions use, counted in each process and reported beside the work.

Totals since the start, with those that the collector sent along, in one request a minute at most
(USAGE_REPORT_S) and only while there is work: at one close a minute that is one request beside
the four of a run, and no Redis command. A report that fails is made up for by the next one; a
process that ends takes the use of its last minute with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog

from shared.errors import ClosebellError
from shared.store.meter import CommandMeter, TrafficMeter
from shared.usage import REPORTS_MAX, Meter, UsageReport

# Not in the middle of the run that follows the poke.
REPORT_PAUSE_S = 1.0

Part = TypeVar("Part")
Write = Callable[[Sequence[UsageReport]], Awaitable[None]]

log = structlog.get_logger()


class FunctionUsage:
    """Counts the requests of this process; `write` stores reports, `monotonic_s` is the clock.

    `redis`: its commands and bytes. `database`: the bytes of Postgres' replies are egress.
    """

    def __init__(
        self,
        write: Write,
        monotonic_s: Callable[[], float],
        *,
        reporter: str,
        redis: CommandMeter,
        database: TrafficMeter,
        every_s: float,
        pause_s: float = REPORT_PAUSE_S,
    ) -> None:
        self._write = write
        self._monotonic_s = monotonic_s
        self._reporter = reporter
        self._redis = redis
        self._database = database
        self._every_s = every_s
        self._pause_s = pause_s
        self._started_s = monotonic_s()
        self._invocations = 0
        self._in_flight = 0
        self._busy_s = 0.0
        self._busy_since_s = 0.0
        self._relayed: OrderedDict[str, UsageReport] = OrderedDict()
        self._reported_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request, and the time until it is answered; report if a minute has passed."""
        self._invocations += 1
        with self._busy():
            yield
        now_s = self._monotonic_s()
        is_due = self._reported_s is None or now_s - self._reported_s >= self._every_s
        if is_due and (self._task is None or self._task.done()):
            self._reported_s = now_s
            self._task = asyncio.create_task(self._report(), name="usage")

    async def stream(self, parts: AsyncIterable[Part]) -> AsyncIterator[Part]:
        """Pass on a reply that is still being made, counting the time as work."""
        with self._busy():
            async for part in parts:
                yield part

    def relay(self, report: UsageReport) -> None:
        """Keep the newest report of another process for the next request to Postgres."""
        self._relayed[report.reporter] = report
        self._relayed.move_to_end(report.reporter)
        while len(self._relayed) >= REPORTS_MAX:
            self._relayed.popitem(last=False)

    def totals(self) -> dict[Meter, float]:
        """Return what this process has used since its start."""
        now_s = self._monotonic_s()
        running_s = now_s - self._busy_since_s if self._in_flight else 0.0
        return {
            Meter.REDIS_COMMANDS: self._redis.total,
            Meter.REDIS_BYTES: self._redis.traffic.total,
            Meter.FUNCTION_INVOCATIONS: self._invocations,
            Meter.FUNCTION_SECONDS: round(self._busy_s + running_s, 3),
            Meter.FUNCTION_MACHINE_SECONDS: round(now_s - self._started_s, 3),
            Meter.EGRESS_BYTES: self._database.bytes_received,
        }

    async def flush(self) -> None:
        """Wait for the report that is under way."""
        if self._task is not None:
            await self._task

    @contextmanager
    def _busy(self) -> Iterator[None]:
        # However many requests overlap, a process costs its time once.
        if self._in_flight == 0:
            self._busy_since_s = self._monotonic_s()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._busy_s += self._monotonic_s() - self._busy_since_s

    async def _report(self) -> None:
        await asyncio.sleep(self._pause_s)
        relayed = list(self._relayed.values())
        own = UsageReport(reporter=self._reporter, totals=self.totals())
        try:
            await self._write([own, *relayed])
        except ClosebellError as error:
            log.warning("usage_report_failed", code=error.code, reason=str(error))
            return
        for report in relayed:
            if self._relayed.get(report.reporter) is report:
                del self._relayed[report.reporter]
