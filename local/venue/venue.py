"""The venue in motion: when minutes close, forming klines go out, and faults act.

Owns the timers; `sending.py` formats and offers, `connections.py` writes. One object a process,
built by `server.py`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from local.venue.clock import SteppedClock, VenueClock
from local.venue.connections import Hub
from local.venue.damage import damaged_frame
from local.venue.fault import Delivery, Fault
from local.venue.faults import Faults
from local.venue.market_protocol import Market, MinuteBars
from local.venue.options import VenueOptions, jitters_ms
from local.venue.sending import Sender
from local.venue.wire import KlineTexts, shutdown_event, stream_name
from shared.market.interval import MINUTE_MS

log = structlog.get_logger()

# The step of the push timer. Short against the push interval, long against a wake-up.
_PULSE_S = 0.1
# After a longer sleep (a closed laptop) only the newest minute is pushed; REST has the others.
_MINUTES_BEHIND_MAX = 2
_LATE_TIMERS_MAX = 100_000


class Venue:
    """See the module.

    `last_closed_ms`: the end of the newest closed minute. `monotonic_s`: by which faults last and
    request weight is counted.
    """

    def __init__(
        self,
        market: Market,
        clock: VenueClock,
        options: VenueOptions,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.market = market
        self.clock = clock
        self.options = options
        self.symbols = [one.symbol for one in market.instruments]
        self.index_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        self.texts = KlineTexts(market.instruments)
        self.hub = Hub(stream_name(symbol) for symbol in self.symbols)
        self.faults = Faults(self.symbols)
        self.counts: Counter[str] = Counter()
        self.sender = Sender(
            market, self.hub, self.texts, self.faults, self.announced_ms, monotonic_s
        )
        self.last_closed_ms = clock.now_ms() - clock.now_ms() % MINUTE_MS
        self.monotonic_s = monotonic_s
        self._jitter_ms = jitters_ms(len(self.symbols), options.close_jitter_ms)
        self._closed_s = -math.inf
        self._held: dict[int, list[tuple[MinuteBars, Delivery]]] = {}
        self._no_trade: set[tuple[int, int]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._closing: set[asyncio.Task[Any]] = set()

    def announced_ms(self) -> int:
        """Return the time the venue claims: its clock, wrong while that fault is in force."""
        return self.clock.now_ms() + self.faults.clock_offset_ms(self.monotonic_s())

    def has_ended(self) -> bool:
        """Return whether the market's last minute is over."""
        ends_at_ms = self.market.ends_at_ms
        return ends_at_ms is not None and self.clock.now_ms() >= ends_at_ms

    async def run(self) -> None:
        """Push and close until cancelled; does nothing for a stepped clock."""
        if self.clock.stepped:
            return
        pulse = 0
        while True:
            now_ms = self.clock.now_ms()
            minute_ms = now_ms - now_ms % MINUTE_MS
            behind = (minute_ms - self.last_closed_ms) // MINUTE_MS
            # Compressed time may close several minutes a pulse; a machine that slept, thousands.
            if behind > max(_MINUTES_BEHIND_MAX, self.clock.speed):
                log.warning("minutes_skipped", count=behind - 1)
                self.last_closed_ms = minute_ms - MINUTE_MS
            while self.last_closed_ms < minute_ms:
                self.close_minute(self.last_closed_ms)
            self.push_forming(pulse)
            pulse += 1
            to_boundary_s = (minute_ms + MINUTE_MS - self.clock.now_ms()) / self.clock.speed / 1_000
            await asyncio.sleep(min(_PULSE_S, max(to_boundary_s, 0.0) + 0.001))

    def step(self, forming_pushes: int = 0) -> int:
        """Close the next minute (stepped clock only); return its open time.

        First `forming_pushes` forming klines of each symbol go out, spread over the minute.
        Raises: ValueError if the clock runs by itself.
        """
        clock = self.clock
        if not isinstance(clock, SteppedClock):
            raise ValueError("expected a stepped clock, was a running one")
        open_time_ms = self.last_closed_ms
        self._begin_minute(open_time_ms)
        everyone = np.ones(len(self.symbols), dtype=np.bool_)
        for push in range(forming_pushes):
            clock.advance_to_ms(open_time_ms + MINUTE_MS * (push + 1) // (forming_pushes + 1))
            self._push(everyone, clock.now_ms())
        clock.advance_to_ms(open_time_ms + MINUTE_MS)
        self.close_minute(open_time_ms)
        return open_time_ms

    def close_minute(self, open_time_ms: int) -> None:
        """Send the closes of the minute that began at `open_time_ms`, faults included."""
        self.last_closed_ms = open_time_ms + MINUTE_MS
        ends_at_ms = self.market.ends_at_ms
        if ends_at_ms is None or open_time_ms < ends_at_ms:
            bars = self.market.minute(open_time_ms)
            plain = [
                (index, 0 if self.clock.stepped else self._jitter_ms[index])
                for index in np.flatnonzero(bars.present).tolist()
                if (index, open_time_ms) not in self._no_trade
            ]
            self._deliver(bars, self.faults.plan_closes(plain, self.monotonic_s()))
            self.counts["minutes_closed"] += 1
        self._closed_s = self.monotonic_s()
        for bars, delivery in self._held.pop(self.last_closed_ms, []):
            self.sender.send_closes(bars, [delivery])
        self._no_trade = {one for one in self._no_trade if one[1] > open_time_ms}
        self.faults.end_minute(self.monotonic_s())
        if not self.clock.stepped:
            self._begin_minute(self.last_closed_ms)
        self.hub.flush()

    def push_forming(self, pulse: int) -> None:
        """Send the forming kline of the symbols whose turn this pulse is."""
        # The close of a minute goes out before anything of the next, also when it is noticed late.
        now_ms = self.clock.now_ms()
        since_close_ms = 1_000 * (self.monotonic_s() - self._closed_s)
        is_over = now_ms >= self.last_closed_ms + MINUTE_MS
        if is_over or since_close_ms < self.options.close_jitter_ms[1] + 20:
            return
        slots = max(round(self.options.push_interval_s / _PULSE_S), 1)
        turn = np.zeros(len(self.symbols), dtype=np.bool_)
        turn[pulse % slots :: slots] = True
        self._push(turn, now_ms)

    def inject(self, fault: Fault) -> int:
        """Put a fault in force, or act it out at once; return its id.

        Raises: ValueError if a value is out of range.
        """
        if fault.variant is not None:
            damaged_frame("", fault.variant)
        fault_id = self.faults.add(fault, self.monotonic_s())
        if fault.kind == "disconnect":
            self._disconnect(fault)
        elif fault.kind == "server_shutdown":
            self._announce_shutdown(fault)
        elif fault.kind == "malformed" and not fault.replace:
            self.sender.send_malformed(fault, self.clock.now_ms())
            self.hub.flush()
        log.info("fault_injected", kind=fault.kind, id=fault_id)
        return fault_id

    def stop(self) -> None:
        """Cancel what is still to be sent late."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _begin_minute(self, open_time_ms: int) -> None:
        now_s = self.monotonic_s()
        for fault in self.faults.storm_faults(open_time_ms, now_s):
            self.inject(fault)
        for symbol in self.faults.no_trade_symbols(now_s):
            index = self.index_of[symbol]
            self._no_trade.add((index, open_time_ms))
            self.market.set_no_trade(index, open_time_ms)
            self.faults.struck["no_trade"] += 1

    def _push(self, turn: NDArray[np.bool_], at_ms: int) -> None:
        indexes = np.flatnonzero(turn & self.hub.wanted)
        if len(indexes) and not self.has_ended():
            self.sender.send_forming(indexes, at_ms, self._no_trade)
            self.hub.flush()

    def _deliver(self, bars: MinuteBars, deliveries: Sequence[Delivery]) -> None:
        """Send deliveries now, by timer, or with a later minute."""
        by_delay_ms: dict[int, list[Delivery]] = {}
        for one in deliveries:
            if one.delay_minutes:
                due_ms = bars.open_time_ms + MINUTE_MS * (1 + one.delay_minutes)
                self._held.setdefault(due_ms, []).append((bars, one))
            else:
                by_delay_ms.setdefault(one.delay_ms, []).append(one)
        for delay_ms, group in by_delay_ms.items():
            if delay_ms == 0:
                self.sender.send_closes(bars, group)
                continue
            # Mere jitter must not carry a close past the next minute of compressed time.
            if delay_ms <= self.options.close_jitter_ms[1]:
                delay_ms = min(delay_ms, int(MINUTE_MS / self.clock.speed / 4))
            self._later(delay_ms / 1_000, partial(self._send_late, bars, group))

    def _send_late(self, bars: MinuteBars, group: Sequence[Delivery]) -> None:
        self.sender.send_closes(bars, group)
        self.hub.flush()

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        if len(self._timers) >= _LATE_TIMERS_MAX:
            self.counts["late_dropped"] += 1
            return

        def fire() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(delay_s, fire)
        self._timers.add(timer)

    def _disconnect(self, fault: Fault) -> None:
        for connection in list(self.hub.connections)[: fault.count]:
            self.faults.struck["disconnect"] += 1
            if fault.code:
                self._in_background(connection.socket.close(code=fault.code))
            else:
                connection.abort()

    def _announce_shutdown(self, fault: Fault) -> None:
        self.hub.broadcast("!serverShutdown", shutdown_event(self.announced_ms()))
        leaving = list(self.hub.connections)
        self.faults.struck["server_shutdown"] += len(leaving)
        notice_s = self.options.shutdown_notice_s
        if fault.delay_ms is not None:
            notice_s = fault.delay_ms / 1_000

        def close_all() -> None:
            for connection in leaving:
                self._in_background(connection.socket.close(code=1001, message=b"shutdown"))

        self._later(notice_s, close_all)

    def _in_background(self, closing: Coroutine[Any, Any, bool]) -> None:
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
