"""One stretch of following a venue, from history to the live feed, until it must start anew.

Edge: carries out what the closer asks for. A session ends (returning why) when too much was
missed to repair in place, when Redis lost frames, or when the universe changed; collector/run.py
then starts the next one. Not here: decisions about klines (klines.py), HTTP, Redis, sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import structlog

from collector.actions import (
    Action,
    CheckTrading,
    ClockTicked,
    CloserConfig,
    Event,
    FetchKlines,
    KlineClosed,
    PublishFrame,
    ReplaceStream,
    Resync,
)
from collector.backfill import Backfill
from collector.clock import VenueClock, wall_ms
from collector.history import HistoryPlan, plan_history
from collector.klines import KlineCloser
from collector.malformed import MalformedLog
from collector.poke import Poker
from collector.publish import Publisher
from collector.record import Recorder
from collector.repair import Repairs
from collector.stream import Ending, StreamGroup
from collector.universe import Universe, UniverseRule, choose_universe
from collector.venues.binance.messages import ControlReply, ServerShutdown
from collector.venues.binance.parse import parse_klines, parse_message, read_glance
from collector.venues.binance.rest import KLINES_LIMIT_MAX, REPAIR_SHARE, BinanceRest
from collector.venues.binance.subscribe import stream_groups, stream_url
from shared.errors import MalformedMessage
from shared.market.frame import Feed, symbol_list_id
from shared.market.interval import MINUTE_MS, Interval
from shared.store.frames import FrameStore

TICK_S = 0.1
CLOCK_EVERY_S = 300.0
CLOCK_SAMPLES = 3
JUDGED_MINUTES = 5
UNIVERSE_EVERY_S = 24 * 3600.0
VERIFY_EVERY_S = 3600.0

log = structlog.get_logger()


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is told; times in seconds of this machine unless they say ms."""

    venue: str
    feed: Feed
    intervals: tuple[Interval, ...]
    history_bars: int
    universe: UniverseRule
    stream_base_url: str
    streams_per_connection: int
    stall_timeout_s: float
    reconnect_after_s: float
    closer: CloserConfig


class Session:
    """Built anew for every stretch; the parts it is given outlive it."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        rest: BinanceRest,
        store: FrameStore,
        publisher: Publisher,
        poker: Poker,
        clock: VenueClock,
        malformed: MalformedLog,
        recorder: Recorder | None,
        on_steady: Callable[[], None] = lambda: None,
    ) -> None:
        self.phase = "starting"
        self.universe = Universe(symbols=(), trading=frozenset())
        self.closer: KlineCloser | None = None
        self.groups: list[StreamGroup] = []
        self.heard_ms: dict[str, int] = {}
        self._heard: set[str] = set()
        self.newest_closed_ms: dict[Interval, int] = {}
        self._config = config
        self._rest = rest
        self._store = store
        self._publisher = publisher
        self._poker = poker
        self._clock = clock
        self._malformed = malformed
        self._recorder = recorder
        self._on_steady = on_steady
        self._group_of: dict[str, StreamGroup] = {}
        self._repairs = Repairs(rest, clock, malformed, self._feed)
        self._over: asyncio.Future[str] | None = None

    async def run(self) -> str:
        """Follow the venue until the session is over; return why.

        Raises (in an ExceptionGroup): FeedError, StoreError when the start does not succeed.
        """
        self._over = asyncio.get_running_loop().create_future()
        plan = await self._prepare()
        closer = self._make_closer(plan)
        backfill = Backfill(
            plan=plan,
            universe=self.universe,
            venue=self._config.venue,
            feed=self._config.feed,
            rest=self._rest,
            publisher=self._publisher,
            closer=closer,
            clock=self._clock,
            malformed=self._malformed,
            on_history=self._note_history,
        )
        loops: list[Coroutine[Any, Any, None]] = [group.run() for group in self.groups]
        loops += [
            self._repairs.run(),
            self._publisher.run(),
            self._tick(),
            self._live_after(backfill, plan),
            self._every(CLOCK_EVERY_S, self._follow_clock),
            self._every(UNIVERSE_EVERY_S, self._check_universe),
            self._every(VERIFY_EVERY_S, self._publisher.verify),
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in loops]
            reason = await self._over
            for task in tasks:
                task.cancel()
        return reason

    # --- start

    async def _prepare(self) -> HistoryPlan:
        config = self._config
        stored = {i: await self._publisher.load(i) for i in config.intervals}
        list_id = stored[Interval.M1].symbol_list_id
        stored_symbols = await self._store.load_symbols(config.venue, list_id) if list_id else None
        info = await self._rest.load_exchange_info(config.universe.symbols)
        tickers = await self._rest.load_tickers()
        self.universe = choose_universe(config.universe, info, tickers, stored_symbols)
        new_id = symbol_list_id(self.universe.symbols)
        for interval, frames in stored.items():
            is_ours = frames.symbol_list_id == new_id and frames.feed is config.feed
            if not is_ours and frames.symbol_list_id:
                await self._publisher.reset(interval)
            if not is_ours:
                frames.open_times_ms.clear()
            newest_ms = self._publisher.newest_closed_ms(interval)
            if newest_ms is not None:
                self.note_published(interval, newest_ms)
        await self._store.publish_symbols(config.venue, self.universe.symbols)
        await self._follow_clock()
        # The venue's answers about a minute are final a moment after it closed, not before.
        settled_ms = self._clock.now_ms() - 2 * config.closer.grace_ms
        plan = plan_history(
            Interval.M1.floor_ms(settled_ms),
            config.intervals,
            {i: s.open_times_ms for i, s in stored.items()},
            config.history_bars,
        )
        log.info(
            "session_planned",
            symbols=len(self.universe.symbols),
            trading=len(self.universe.trading),
            missing={str(i): len(t) for i, t in plan.missing.items()},
            calls=plan.calls_per_symbol * len(self.universe.symbols),
        )
        return plan

    def _make_closer(self, plan: HistoryPlan) -> KlineCloser:
        config = self._config
        self.closer = KlineCloser(
            config.closer, self.universe.symbols, self.universe.trading, plan.live_from_ms
        )
        groups = stream_groups(self.universe.symbols, config.streams_per_connection)
        for number, symbols in enumerate(groups):
            url = stream_url(config.stream_base_url, symbols, Interval.M1)
            name = f"klines-{number}"
            group = StreamGroup(
                name,
                url,
                self._on_data(name, url.partition("?")[0]),
                stall_timeout_s=config.stall_timeout_s,
                reconnect_after_s=config.reconnect_after_s,
            )
            self.groups.append(group)
            self._group_of |= dict.fromkeys(symbols, group)
        return self.closer

    async def _live_after(self, backfill: Backfill, plan: HistoryPlan) -> None:
        assert self.closer is not None
        self.phase = "backfilling"
        self._publisher.hold(set(plan.fetched) - set(plan.leading))
        await backfill.load_minutes()
        self.closer.go_live()
        self.phase = "live"
        log.info("session_live", at_ms=self._clock.now_ms())
        await backfill.load_higher()
        log.info("history_complete")
        self._on_steady()

    def _note_history(self, interval: Interval, closed_at_ms: int) -> None:
        self.note_published(interval, closed_at_ms)
        self._poker.poke(interval, closed_at_ms)

    def note_published(self, interval: Interval, closed_at_ms: int) -> None:
        """Remember the newest slot that is in Redis."""
        newest_ms = self.newest_closed_ms.get(interval, 0)
        self.newest_closed_ms[interval] = max(newest_ms, closed_at_ms)

    # --- the socket side

    def _on_data(self, group_name: str, url: str) -> Callable[[bytes], None]:
        recorder, note_heard = self._recorder, self._heard.add

        def take(raw: bytes) -> None:
            if recorder is not None:
                recorder.record("ws", url, raw)
            try:
                event = read_glance(raw).data
                if not event.kline.is_closed:
                    note_heard(event.symbol)
                    return
            except msgspec.DecodeError:
                # Not a kline, or malformed: the full reading says which.
                pass
            now_ms = self._clock.now_ms()
            try:
                message = parse_message(raw, now_ms)
            except MalformedMessage as error:
                self._malformed.add(error, raw, now_ms)
                return
            if isinstance(message, ServerShutdown):
                log.info("server_shutdown_announced", stream=group_name)
                self._group_named(group_name).replace(Ending.SHUTDOWN)
            elif isinstance(message, ControlReply):
                log.info("control_replied", stream=group_name, error=str(message.error or ""))
            else:
                note_heard(message.symbol)
                if message.is_closed:
                    self._feed(KlineClosed(message))

        return take

    def _group_named(self, name: str) -> StreamGroup:
        return next(group for group in self.groups if group.name == name)

    # --- carrying out

    def _feed(self, event: Event) -> None:
        assert self.closer is not None
        for action in self.closer.feed(event):
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case PublishFrame():
                self._publisher.enqueue(action.frame)
            case FetchKlines() | CheckTrading():
                self._repairs.put(action)
            case ReplaceStream():
                log.warning("stream_silent", symbol=action.symbol)
                self._group_of[action.symbol].replace(Ending.SILENT)
            case Resync():
                self._end(action.reason)

    def _end(self, reason: str) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(reason)

    async def _tick(self) -> None:
        while True:
            now_ms = self._clock.now_ms()
            # Who spoke since the last tick: a tenth of a second is exact enough for silence.
            self.heard_ms.update(dict.fromkeys(self._heard, now_ms))
            self._heard.clear()
            self._feed(ClockTicked(now_ms))
            if self._publisher.lost is not None:
                reason, self._publisher.lost = self._publisher.lost, None
                self._end(reason)
            await asyncio.sleep(TICK_S)

    # --- from time to time

    async def _every(self, period_s: float, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            try:
                await do()
            except Exception as error:
                log.warning("periodic_failed", error=f"{type(error).__name__}: {error}")

    async def _follow_clock(self) -> None:
        """Set the clock by the quickest of some answers of the venue."""
        best: tuple[int, int, int] | None = None
        for _ in range(CLOCK_SAMPLES):
            asked_ms = wall_ms()
            venue_ms = await self._rest.load_server_time()
            answered_ms = wall_ms()
            if best is None or answered_ms - asked_ms < best[2] - best[1]:
                best = (venue_ms, asked_ms, answered_ms)
        assert best is not None
        self._clock.set_by(*best)
        if self._clock.is_wrong:
            await self._judge_clocks()

    async def _judge_clocks(self) -> None:
        """Two clocks differ: ask the largest instrument's forming kline which of them is right."""
        clock = self._clock
        symbol = self.universe.symbols[0]
        from_ms = min(clock.now_ms(), wall_ms()) - JUDGED_MINUTES * MINUTE_MS
        raw = await self._rest.load_klines(
            symbol, Interval.M1, from_ms=from_ms, limit=KLINES_LIMIT_MAX, share=REPAIR_SHARE
        )
        klines = parse_klines(raw, symbol, Interval.M1, receive_time_ms=clock.now_ms())
        if klines:
            clock.judge_by(klines[-1].open_time_ms)
        log.warning("clock_wrong", offset_ms=clock.offset_ms, follows_venue=clock.follows_venue)

    async def _check_universe(self) -> None:
        """Renew the stored list's time to live; end the session if the universe changed."""
        config = self._config
        info = await self._rest.load_exchange_info(config.universe.symbols)
        tickers = await self._rest.load_tickers()
        universe = choose_universe(config.universe, info, tickers, self.universe.symbols)
        if universe.symbols != self.universe.symbols:
            self._end("the universe changed")
            return
        await self._store.publish_symbols(config.venue, universe.symbols)
