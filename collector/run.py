"""The collector of Binance spot: `python -m collector.run`. Wiring: builds everything, once.

Reads the settings, refuses what cannot work, keeps one session after the other going, serves
/health and /metrics, and on SIGTERM writes what waits and ends within 5 s.
Not here: anything that could be tested without a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn
import uvloop

from collector import VERSION
from collector.actions import CloserConfig
from collector.clock import VenueClock, wall_ms, wall_s
from collector.log_sender import LogSender
from collector.malformed import MalformedLog
from collector.metrics import build_app
from collector.poke import Poker
from collector.publish import Publisher
from collector.record import Recorder
from collector.session import Session, SessionConfig
from collector.status import Status
from collector.universe import UniverseRule
from collector.venues.binance.rest import BinanceRest
from shared.cost.commands import check_budget, plan_commands
from shared.crash_reports import start_crash_reports
from shared.errors import ClosebellError, ConfigError, FeedRefused, StoreUnavailable
from shared.hidden import remember_secrets
from shared.logs import configure_logs
from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.settings import CollectorSettings, load_settings
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from shared.usage import Meter, UsageReport

VENUE = "binance"
FLUSH_TIMEOUT_S = 3.0
LOG_FLUSH_TIMEOUT_S = 1.0
# Waits between sessions that failed at their start: full jitter up to this, longer if told so.
RETRY_MAX_S = 30.0
REFUSED_WAIT_MAX_S = 3600.0

log = structlog.get_logger()


class Collector:
    """Everything that outlives a session."""

    def __init__(self, settings: CollectorSettings) -> None:
        intervals = tuple(sorted({Interval.M1, *settings.intervals}, key=lambda i: i.duration_ms))
        speed = settings.venue_time_speed
        self.budget = plan_commands(intervals, settings.commands_per_month_max, speed)
        check_budget(self.budget)
        if settings.feed is Feed.LIVE and speed != 1.0:
            raise ConfigError(
                f"expected VENUE_TIME_SPEED=1 with FEED=live, was {speed:g}",
                hint="compressed time exists only at a simulated or replayed venue",
            )
        self.settings = settings
        self.sender = LogSender(
            settings.functions_url, settings.function_secret.get_secret_value(), wall_s
        )
        self.config = _session_config(settings, intervals)
        self.clock = VenueClock(speed)
        folder = settings.record_dir
        self.recorder = Recorder(Path(folder), wall_ms) if folder else None
        self.rest = BinanceRest(
            settings.binance_rest_url,
            record=self._record_rest if self.recorder else None,
            wall_s=wall_s,
        )
        self.meter = CommandMeter(time.monotonic())
        self.store = FrameStore(
            connect_redis(
                settings.upstash_redis_rest_url,
                settings.upstash_redis_rest_token.get_secret_value(),
                self.meter.traffic,
            ),
            self.meter,
        )
        self.reporter = f"collector-{secrets.token_hex(8)}"
        self.poker = Poker(
            settings.functions_url,
            settings.function_secret.get_secret_value(),
            VENUE,
            lambda: int(wall_s()),
            self._usage,
        )
        self.publisher = Publisher(
            self.store,
            VENUE,
            settings.history_bars,
            on_published=self._on_published,
            now_s=lambda: int(wall_s()),
        )
        self.malformed = MalformedLog()
        self.status = Status(
            venue=VENUE,
            feed=settings.feed,
            intervals=intervals,
            clock=self.clock,
            rest=self.rest,
            publisher=self.publisher,
            poker=self.poker,
            malformed=self.malformed,
            meter=self.meter,
            budget=self.budget,
            sender=self.sender,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the venue until `stop` is set, then write what waits and close everything."""
        server = _HealthServer(self.status, self.settings)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(server.serve()),
                    group.create_task(self.poker.run()),
                    group.create_task(self.sender.run()),
                    group.create_task(self._follow()),
                ]
                await stop.wait()
                log.info("collector_stopping")
                server.should_exit = True
                for task in tasks[1:]:
                    task.cancel()
        finally:
            await self._close()

    async def _follow(self) -> None:
        """Run one session after the other; a start that fails is tried again, ever more slowly."""
        failures = 0
        while True:
            session = Session(
                self.config,
                rest=self.rest,
                store=self.store,
                publisher=self.publisher,
                poker=self.poker,
                clock=self.clock,
                malformed=self.malformed,
                recorder=self.recorder,
                on_steady=lambda: self.status.mark_steady(time.monotonic()),
            )
            self.status.session = session
            self.status.sessions_count += 1
            try:
                reason = await session.run()
            except* ConfigError:
                raise
            except* ClosebellError as errors:
                error = _first(errors)
                failures = failures + 1 if session.phase != "live" else 1
                self.status.last_error = str(error)
                wait_s = random.uniform(0, min(RETRY_MAX_S, 2.0**failures))
                if isinstance(error, FeedRefused):
                    wait_s += min(error.retry_after_s, REFUSED_WAIT_MAX_S)
                log.error(
                    "session_failed", code=error.code, error=str(error), wait_s=round(wait_s, 1)
                )
                await asyncio.sleep(wait_s)
            else:
                failures = 0
                log.warning("session_over", reason=reason)

    def _on_published(self, interval: Interval, closed_at_ms: int) -> None:
        if self.status.session is not None:
            self.status.session.note_published(interval, closed_at_ms)
        self.poker.poke(interval, closed_at_ms)

    def _usage(self) -> UsageReport:
        totals = {
            Meter.REDIS_COMMANDS: float(self.meter.total),
            Meter.REDIS_BYTES: float(self.meter.traffic.total),
            Meter.COLLECTOR_SECONDS: round(time.monotonic() - self.meter.started_s, 3),
        }
        return UsageReport(reporter=self.reporter, totals=totals)

    def _record_rest(self, url: str, raw: bytes) -> None:
        if self.recorder is not None:
            self.recorder.record("rest", url, raw)

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self.publisher.flush()
        except (TimeoutError, StoreUnavailable) as error:
            # The venue still has these klines: the next start repairs them from history.
            log.warning("flush_failed", pending=self.publisher.pending_count, error=str(error))
        if self.recorder is not None:
            self.recorder.close()
        await self.poker.close()
        await self.rest.close()
        await self.store.close()
        log.info("collector_stopped", pending=self.publisher.pending_count)
        # The last lines are the ones an operator looks for; what is not sent is on stdout.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOG_FLUSH_TIMEOUT_S):
                await self.sender.flush()
        await self.sender.close()


class _HealthServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the wiring decides when to stop."""

    def __init__(self, status: Status, settings: CollectorSettings) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(status, settings.metrics_token.get_secret_value()),
                host=settings.collector_host,
                port=settings.collector_port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT to the wiring."""
        yield


def _session_config(settings: CollectorSettings, intervals: tuple[Interval, ...]) -> SessionConfig:
    speed = settings.venue_time_speed
    grace_ms = int(1000 * settings.close_grace_s * speed)
    closer = CloserConfig(
        venue=VENUE,
        feed=settings.feed,
        intervals=tuple(i for i in intervals if i is not Interval.M1),
        fetch_after_ms=int(1000 * settings.close_fetch_s * speed),
        grace_ms=grace_ms,
        settle_ms=int(1500 * speed),
        retry_ms=int(600 * speed),
        revision_gap_ms=int(1000 * speed),
    )
    return SessionConfig(
        venue=VENUE,
        feed=settings.feed,
        intervals=intervals,
        history_bars=settings.history_bars,
        universe=UniverseRule(
            size=settings.universe_size,
            quote=settings.universe_quote,
            volume_min=settings.universe_volume_min,
            symbols=settings.universe_symbols,
        ),
        stream_base_url=settings.binance_stream_url,
        streams_per_connection=settings.streams_per_connection,
        stall_timeout_s=settings.stall_timeout_s,
        reconnect_after_s=settings.reconnect_after_s,
        closer=closer,
    )


def _first(errors: BaseExceptionGroup[ClosebellError]) -> ClosebellError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ClosebellError)
    return error


async def _main(settings: CollectorSettings) -> None:
    collector = Collector(settings)
    configure_logs("collector", keep=collector.sender.keep)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("collector_started", budget=collector.budget.arithmetic)
    await collector.run(stop)


def main() -> int:
    """Run until stopped; return the exit status (2: refused to start)."""
    configure_logs("collector")
    refusals: list[ClosebellError] = []
    try:
        settings = load_settings(CollectorSettings)
        remember_secrets(settings)
        start_crash_reports(settings, "collector", VERSION)
        uvloop.run(_main(settings))
    except* ConfigError as errors:
        refusals.append(_first(errors))
    for error in refusals:
        log.error("collector_refused", code=error.code, error=error.message, hint=error.hint)
    return 2 if refusals else 0


if __name__ == "__main__":
    sys.exit(main())
