"""Closes klines: by their event, else by clock and REST; yields frames. Pure (Sans-I/O).

`feed(event) -> list[Action]`. Each symbol's minutes are applied strictly in order: a minute that
is missing holds out everything later of that symbol, until the venue has given it or has shown
that it does not exist. So a frame never has a row with an unrepaired gap before it, and late
and live are the same. Events may be double, late, reordered or missing.

A frame is published when every trading symbol is in it, or incomplete at its deadline; then as
a new revision whenever something of it was repaired or corrected.

Not here: sockets, REST, Redis, clocks (collector/session.py acts), rolling up (rollup.py).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from collector.actions import (
    Action,
    CheckTrading,
    ClockTicked,
    CloserConfig,
    Event,
    FetchFailed,
    FetchKlines,
    KlineClosed,
    KlinesFetched,
    PublishFrame,
    ReplaceStream,
    Resync,
    TradingKnown,
)
from collector.draft import KEEP_MS, Draft, Drafts, FrameStamp
from collector.rollup import ClosedSpan, SymbolRollUps
from collector.symbol import Asked, SymbolState
from shared.market.frame import Frame, symbol_list_id
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import Kline

# A jump of the clock beyond this (a laptop that slept) is repaired from history, not by minutes.
JUMP_MS = 100 * MINUTE_MS
# Minutes of one symbol that may wait for an earlier one; more than KEEP_MS can never be needed.
AHEAD_MAX = KEEP_MS // MINUTE_MS
# Slots that became due together (a long silence, a short sleep) wait for their repair.
CATCH_UP_GRACE_FACTOR = 10
# Answers without the missing minute before the venue is asked whether the symbol trades at all.
EMPTY_ANSWERS_MAX = 3
HALT_CHECK_MS = 5 * MINUTE_MS
# Closes by REST in a row, with trades in them, that show a dead stream on a live socket.
SILENT_CLOSES_MAX = 3


class KlineCloser:
    """The closer of one universe.

    `live_from_ms`: frames that close after it are made here, older ones from history.
    `counts`: closed_by_event, closed_by_rest, duplicates, corrections, ignored, abandoned.
    """

    def __init__(
        self,
        config: CloserConfig,
        symbols: tuple[str, ...],
        trading: frozenset[str],
        live_from_ms: int,
    ) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self.now_ms = live_from_ms
        self._stamp = FrameStamp(config.venue, symbol_list_id(symbols), config.feed)
        self._due_to_ms = self._live_from_ms = live_from_ms
        self._symbols = {
            name: SymbolState(
                name, index, live_from_ms, SymbolRollUps(config.intervals, live_from_ms)
            )
            for index, name in enumerate(symbols)
        }
        self._trading = np.array([name in trading for name in symbols], dtype=np.bool_)
        self._drafts = Drafts(
            (Interval.M1, *config.intervals),
            len(symbols),
            live_from_ms=live_from_ms,
            grace_ms=config.grace_ms,
            revision_gap_ms=config.revision_gap_ms,
        )
        self._halt_checked_ms = live_from_ms
        # The market itself has been seen to be past this time: our clock may be wrong.
        self._market_ms = live_from_ms
        self._is_live = False

    # --- start

    def begin(self, symbol: str, next_open_ms: int, roll_ups: SymbolRollUps) -> None:
        """Take over what history has of a symbol: its minutes up to `next_open_ms`."""
        state = self._symbols[symbol]
        state.next_open_ms = next_open_ms
        state.roll_ups = roll_ups

    def adopt(self, frame: Frame, resolved: NDArray[np.bool_]) -> None:
        """Take over a published frame in which a symbol is not resolved yet."""
        self._drafts.adopt(Draft.of_frame(frame, resolved))
        if frame.interval is not Interval.M1:
            for state in self._symbols.values():
                if self._trading[state.index] and not resolved[state.index]:
                    state.spans[(frame.interval, frame.open_time_ms)] = Asked()

    def go_live(self) -> None:
        """History is in place: from now on close minutes and publish frames."""
        self._is_live = True
        for state in self._symbols.values():
            state.ahead = {t: k for t, k in state.ahead.items() if t >= state.next_open_ms}
            self._drain(state)

    def prepend(self, symbol: str, earlier: list[Kline], from_ms: int, to_ms: int) -> None:
        """Complete the forming higher klines with what came before history's minutes."""
        for roll_up in self._symbols[symbol].roll_ups.roll_ups:
            if not roll_up.is_covered:
                roll_up.prepend(earlier, max(from_ms, roll_up.open_time_ms), to_ms)

    # --- what others may see

    @property
    def symbols_behind(self) -> list[str]:
        """Return the trading symbols of which a minute is missing beyond its grace."""
        overdue_ms = self.now_ms - MINUTE_MS - self.config.grace_ms
        return [
            s.name
            for s in self._symbols.values()
            if s.next_open_ms < overdue_ms and self._trading[s.index]
        ]

    @property
    def halted_count(self) -> int:
        """Return how many symbols do not trade."""
        return int((~self._trading).sum())

    # --- events

    def feed(self, event: Event) -> list[Action]:
        """Take one event; return what is to be done, in order."""
        actions: list[Action] = []
        match event:
            case KlineClosed():
                self._close_by_event(event.kline, actions)
            case ClockTicked():
                self._tick(event.now_ms, actions)
            case KlinesFetched():
                self._take_fetched(event, actions)
            case FetchFailed():
                self._asked(event).answered(self.now_ms, self.config.retry_ms, is_done=False)
            case TradingKnown():
                for state in self._symbols.values():
                    if state.name in event.asked:
                        self._trading[state.index] = state.name in event.trading
        if self._is_live:
            frames = self._drafts.take_due(self.now_ms, self._trading, self._stamp)
            actions += [PublishFrame(frame) for frame in frames]
        return actions

    def _close_by_event(self, kline: Kline, actions: list[Action]) -> None:
        state = self._symbols.get(kline.symbol)
        if state is None or kline.interval is not Interval.M1 or not kline.is_closed:
            self.counts["ignored"] += 1
            return
        self.now_ms = max(self.now_ms, kline.receive_time_ms)
        self._market_ms = max(self._market_ms, kline.closed_at_ms)
        # Whoever speaks trades.
        self._trading[state.index] = True
        if kline.open_time_ms < state.next_open_ms:
            self._correct(state, kline)
            return
        known = state.ahead.get(kline.open_time_ms)
        if known is not None:
            self.counts["duplicates"] += 1
        elif len(state.ahead) >= AHEAD_MAX:
            self.counts["ignored"] += 1
            return
        if known is None or known.event_time_ms <= kline.event_time_ms:
            state.ahead[kline.open_time_ms] = kline
        if self._is_live:
            self._drain(state)

    def _tick(self, now_ms: int, actions: list[Action]) -> None:
        self.now_ms = max(self.now_ms, now_ms)
        due_to_ms = Interval.M1.floor_ms(self.now_ms)
        if due_to_ms - self._due_to_ms > JUMP_MS:
            actions.append(Resync(f"the clock went on by {due_to_ms - self._due_to_ms} ms"))
            return
        if not self._is_live:
            return
        is_catching_up = due_to_ms - self._due_to_ms > MINUTE_MS
        for closed_at_ms in range(self._due_to_ms + MINUTE_MS, due_to_ms + 1, MINUTE_MS):
            for interval in (Interval.M1, *self.config.intervals):
                if closed_at_ms % interval.duration_ms == 0:
                    draft = self._draft_of(interval, closed_at_ms - interval.duration_ms)
                    if draft is not None and is_catching_up:
                        wait_ms = CATCH_UP_GRACE_FACTOR * self.config.grace_ms
                        draft.deadline_ms = self.now_ms + wait_ms
        self._due_to_ms = max(due_to_ms, self._due_to_ms)
        self._drafts.drop_old(self.now_ms, self._trading)
        self._give_up_old()
        for state in self._symbols.values():
            self._ask_for_missing(state, actions)
        if self.halted_count and self.now_ms - self._halt_checked_ms >= HALT_CHECK_MS:
            self._check_trading(
                actions, [s for s in self._symbols.values() if not self._trading[s.index]]
            )

    def _ask_for_missing(self, state: SymbolState, actions: list[Action]) -> None:
        config = self.config
        first_missing_closed_ms = state.next_open_ms + MINUTE_MS
        if (
            state.next_open_ms < self._due_to_ms
            and self._trading[state.index]
            and self.now_ms >= first_missing_closed_ms + config.fetch_after_ms
            and state.minutes.may_ask(self.now_ms)
        ):
            state.minutes.in_flight = True
            actions.append(
                FetchKlines(
                    symbol=state.name,
                    interval=Interval.M1,
                    from_ms=state.next_open_ms,
                    to_ms=self._due_to_ms - MINUTE_MS,
                )
            )
        for (interval, open_time_ms), asked in state.spans.items():
            closed_at_ms = open_time_ms + interval.duration_ms
            if self.now_ms >= closed_at_ms + config.fetch_after_ms and asked.may_ask(self.now_ms):
                asked.in_flight = True
                actions.append(
                    FetchKlines(
                        symbol=state.name,
                        interval=interval,
                        from_ms=open_time_ms,
                        to_ms=open_time_ms,
                    )
                )

    def _take_fetched(self, event: KlinesFetched, actions: list[Action]) -> None:
        state = self._symbols[event.symbol]
        last_open_ms = event.klines[-1].open_time_ms if event.klines else -1
        self._market_ms = max(self._market_ms, last_open_ms)
        settled_ms = min(event.asked_at_ms - self.config.settle_ms, self._market_ms)
        usable = {
            k.open_time_ms: k
            for k in event.klines
            if k.is_closed and (last_open_ms > k.open_time_ms or k.closed_at_ms <= settled_ms)
        }
        if event.interval is not Interval.M1:
            self._take_fetched_span(state, event, usable, last_open_ms)
            return
        repaired: list[Kline] = []
        while state.next_open_ms <= event.to_ms:
            minute_ms = state.next_open_ms
            if minute_ms in state.ahead:
                self._drain(state)
            elif minute_ms in usable:
                self._apply(state, usable[minute_ms], 0)
                repaired.append(usable[minute_ms])
            elif last_open_ms > minute_ms:
                self._apply_void(state, minute_ms + MINUTE_MS)
            else:
                break
        self._drain(state)
        self._count_silent(state, repaired, actions)
        is_done = state.next_open_ms > event.to_ms
        state.minutes.answered(self.now_ms, self.config.retry_ms, is_done=is_done)
        if state.minutes.attempts and state.minutes.attempts % EMPTY_ANSWERS_MAX == 0:
            self._check_trading(actions, [state])

    def _take_fetched_span(
        self, state: SymbolState, event: KlinesFetched, usable: dict[int, Kline], last_open_ms: int
    ) -> None:
        key = (event.interval, event.from_ms)
        asked = state.spans.get(key)
        draft = self._draft_of(*key)
        kline = usable.get(event.from_ms)
        is_void = kline is None and last_open_ms > event.from_ms
        if draft is not None and kline is not None and not draft.holds(state.index, kline):
            draft.put(state.index, kline, 0)
        elif draft is not None and is_void:
            draft.resolve_as_void(state.index)
        if kline is not None or is_void or draft is None:
            state.spans.pop(key, None)
        elif asked is not None:
            asked.answered(self.now_ms, self.config.retry_ms, is_done=False)

    # --- minutes of one symbol, in order

    def _drain(self, state: SymbolState) -> None:
        while (kline := state.ahead.pop(state.next_open_ms, None)) is not None:
            self._apply(state, kline, kline.event_time_ms)
            self.counts["closed_by_event"] += 1
            state.silent_closes = 0

    def _apply(self, state: SymbolState, kline: Kline, event_time_ms: int) -> None:
        draft = self._draft_of(Interval.M1, kline.open_time_ms)
        if draft is not None:
            draft.put(state.index, kline, event_time_ms)
        state.next_open_ms = kline.closed_at_ms
        for span in state.roll_ups.add_minute(kline):
            self._apply_span(state, span)

    def _apply_void(self, state: SymbolState, to_ms: int) -> None:
        for open_time_ms in range(state.next_open_ms, to_ms, MINUTE_MS):
            draft = self._draft_of(Interval.M1, open_time_ms)
            if draft is not None:
                draft.resolve_as_void(state.index)
        state.next_open_ms = to_ms
        for span in state.roll_ups.pass_time(to_ms):
            self._apply_span(state, span)

    def _apply_span(self, state: SymbolState, span: ClosedSpan) -> None:
        draft = self._draft_of(span.interval, span.open_time_ms)
        if draft is None:
            return
        is_held_out = any(interval is span.interval for interval, _ in state.spans)
        if not span.is_covered or is_held_out:
            state.spans[(span.interval, span.open_time_ms)] = Asked()
        elif span.kline is not None:
            draft.put(state.index, span.kline, 0)
        else:
            draft.resolve_as_void(state.index)

    def _correct(self, state: SymbolState, kline: Kline) -> None:
        """Take a close of a minute that is already applied: a duplicate or a correction."""
        draft = self._drafts.find(Interval.M1, kline.open_time_ms)
        if draft is None:
            self.counts["ignored"] += 1
            return
        known_ms = int(draft.event_times_ms[state.index])
        if draft.holds(state.index, kline) or kline.event_time_ms < known_ms:
            self.counts["duplicates"] += 1
            draft.event_times_ms[state.index] = max(known_ms, kline.event_time_ms)
            return
        self.counts["corrections"] += 1
        draft.put(state.index, kline, kline.event_time_ms)
        for roll_up in state.roll_ups.roll_ups:
            if roll_up.open_time_ms <= kline.open_time_ms:
                roll_up.forget()
            else:
                # Its higher kline has been published: the venue's own replaces it.
                span_open_ms = roll_up.interval.floor_ms(kline.open_time_ms)
                if self._draft_of(roll_up.interval, span_open_ms) is not None:
                    state.spans[(roll_up.interval, span_open_ms)] = Asked()

    def _count_silent(
        self, state: SymbolState, repaired: list[Kline], actions: list[Action]
    ) -> None:
        self.counts["closed_by_rest"] += len(repaired)
        if not any(kline.trades for kline in repaired):
            return
        # One a repair: many minutes at once are a start, a sleep or a lost connection.
        state.silent_closes += 1
        if state.silent_closes >= SILENT_CLOSES_MAX:
            state.silent_closes = 0
            actions.append(ReplaceStream(state.name))

    # --- old things

    def _give_up_old(self) -> None:
        """Give up what could not be repaired for too long: its history starts anew."""
        oldest_ms = Interval.M1.floor_ms(self.now_ms - KEEP_MS)
        for state in self._symbols.values():
            if state.next_open_ms < oldest_ms:
                self.counts["abandoned"] += (oldest_ms - state.next_open_ms) // MINUTE_MS
                state.next_open_ms = oldest_ms
                state.ahead = {t: k for t, k in state.ahead.items() if t >= oldest_ms}
                state.roll_ups = SymbolRollUps(self.config.intervals, oldest_ms)
                self._drain(state)
            for key in [k for k in state.spans if self._draft_of(*k) is None]:
                del state.spans[key]

    def _check_trading(self, actions: list[Action], states: list[SymbolState]) -> None:
        self._halt_checked_ms = self.now_ms
        actions.append(CheckTrading(tuple(state.name for state in states)))

    def _draft_of(self, interval: Interval, open_time_ms: int) -> Draft | None:
        return self._drafts.get(interval, open_time_ms, self.now_ms)

    def _asked(self, event: FetchFailed) -> Asked:
        state = self._symbols[event.symbol]
        if event.interval is Interval.M1:
            return state.minutes
        return state.spans.get((event.interval, event.from_ms)) or Asked()
