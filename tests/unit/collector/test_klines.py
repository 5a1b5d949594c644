"""The closer: frames from closes that are missing, late, double, reordered, corrected."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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
from collector.klines import KlineCloser
from collector.rollup import SymbolRollUps
from shared.market.frame import Feed, Frame
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import Kline
from tests.unit.collector.make_klines import MIDNIGHT_MS, make_minute, random_minutes

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")


def make_closer(
    intervals: tuple[Interval, ...] = (), symbols: tuple[str, ...] = SYMBOLS
) -> KlineCloser:
    config = CloserConfig(venue="binance", feed=Feed.SIMULATED, intervals=intervals)
    closer = KlineCloser(config, symbols, frozenset(symbols), MIDNIGHT_MS)
    closer.go_live()
    return closer


def at(minute: int, after_close_ms: int = 0) -> int:
    """Return the venue's time so long after the close of a minute."""
    return MIDNIGHT_MS + (minute + 1) * MINUTE_MS + after_close_ms


def frames_of(actions: Iterable[Action]) -> list[Frame]:
    return [action.frame for action in actions if isinstance(action, PublishFrame)]


def fetches_of(actions: Iterable[Action]) -> list[FetchKlines]:
    return [action for action in actions if isinstance(action, FetchKlines)]


def feed_all(closer: KlineCloser, *events: Event) -> list[Action]:
    return [action for event in events for action in closer.feed(event)]


def close_minute(closer: KlineCloser, minute: int, *, but: str = "") -> list[Action]:
    events = [KlineClosed(make_minute(s, minute, 100.0 + minute)) for s in SYMBOLS if s != but]
    return feed_all(closer, *events)


def answer(fetch: FetchKlines, klines: Iterable[Kline], asked_at_ms: int) -> KlinesFetched:
    return KlinesFetched(
        symbol=fetch.symbol,
        interval=fetch.interval,
        from_ms=fetch.from_ms,
        to_ms=fetch.to_ms,
        klines=tuple(klines),
        asked_at_ms=asked_at_ms,
    )


def test_frame_all_symbols_closed_is_published_at_once_and_complete() -> None:
    closer = make_closer()
    first = feed_all(closer, *(KlineClosed(make_minute(s, 0)) for s in SYMBOLS[:2]))
    assert first == []
    [frame] = frames_of(closer.feed(KlineClosed(make_minute(SYMBOLS[2], 0, 7.0))))
    assert (frame.open_time_ms, frame.revision, frame.complete) == (MIDNIGHT_MS, 1, True)
    assert frame.present.all()
    expected = make_minute(SYMBOLS[2], 0, 7.0).row()
    assert tuple(frame.columns[:, 2]) == expected
    assert frame.received_at_ms == at(0, 55)


def test_close_event_missing_is_fetched_and_frame_waits_for_it() -> None:
    closer = make_closer()
    assert frames_of(close_minute(closer, 0, but="BBBUSDT")) == []
    assert fetches_of(closer.feed(ClockTicked(at(0, 999)))) == []
    [fetch] = fetches_of(closer.feed(ClockTicked(at(0, 1000))))
    assert (fetch.symbol, fetch.from_ms, fetch.to_ms) == ("BBBUSDT", MIDNIGHT_MS, MIDNIGHT_MS)
    # One question at a time.
    assert fetches_of(closer.feed(ClockTicked(at(0, 1100)))) == []
    klines = [make_minute("BBBUSDT", 0), make_minute("BBBUSDT", 1)]
    [frame] = frames_of(closer.feed(answer(fetch, klines, at(0, 1000))))
    assert (frame.revision, frame.complete) == (1, True)
    assert closer.counts["closed_by_rest"] == 1


def test_frame_at_deadline_is_published_incomplete_then_revised() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="BBBUSDT")
    [fetch] = fetches_of(closer.feed(ClockTicked(at(0, 1000))))
    [frame] = frames_of(closer.feed(ClockTicked(at(0, 2000))))
    assert (frame.revision, frame.complete, list(frame.present)) == (1, False, [True, False, True])
    assert np.isnan(frame.columns[:, 1]).all()
    klines = [make_minute("BBBUSDT", 0), make_minute("BBBUSDT", 1)]
    [revised] = frames_of(closer.feed(answer(fetch, klines, at(0, 1000))))
    assert (revised.revision, revised.complete) == (2, True)
    assert frames_of(closer.feed(ClockTicked(at(0, 9000)))) == []


def test_rest_answer_that_may_still_change_is_asked_again() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="BBBUSDT")
    [fetch] = fetches_of(closer.feed(ClockTicked(at(0, 1000))))
    # No later kline in the answer, and asked only 1 s after the close.
    assert closer.feed(answer(fetch, [make_minute("BBBUSDT", 0, 1.0)], at(0, 1000))) == []
    [again] = fetches_of(closer.feed(ClockTicked(at(0, 1700))))
    [frame] = frames_of(closer.feed(answer(again, [make_minute("BBBUSDT", 0, 2.0)], at(0, 1700))))
    assert frame.columns[3, 1] == 2.0


def test_rest_answer_about_a_minute_that_the_market_has_not_left_is_not_believed() -> None:
    """A clock that is a minute ahead must not close a kline that is still forming."""
    closer = make_closer()
    closer.feed(ClockTicked(at(0, 30_000)))
    [fetch, *_] = fetches_of(closer.feed(ClockTicked(at(0, 30_100)))) or [
        FetchKlines(symbol="AAAUSDT", interval=Interval.M1, from_ms=MIDNIGHT_MS, to_ms=MIDNIGHT_MS)
    ]
    assert closer.feed(answer(fetch, [make_minute("AAAUSDT", 0, 1.0)], at(0, 30_000))) == []
    frames = frames_of(close_minute(closer, 0))
    assert frames[-1].columns[3, 0] == 100.0


def test_symbol_with_gap_is_held_out_until_repaired_then_frames_are_revised_in_order() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="BBBUSDT")
    [fetch] = fetches_of(closer.feed(ClockTicked(at(0, 1000))))
    closer.feed(ClockTicked(at(0, 2000)))
    # Its next minute comes, but the gap is open: not in the frame.
    assert frames_of(close_minute(closer, 1)) == []
    [second] = frames_of(closer.feed(ClockTicked(at(1, 2000))))
    assert (list(second.present), second.complete) == ([True, False, True], False)
    klines = [make_minute("BBBUSDT", 0, 5.0), make_minute("BBBUSDT", 1, 6.0)]
    revised = frames_of(closer.feed(answer(fetch, klines, at(1, 2100))))
    assert [(f.open_time_ms, f.revision, f.complete) for f in revised] == [
        (MIDNIGHT_MS, 2, True),
        (MIDNIGHT_MS + MINUTE_MS, 2, True),
    ]
    assert revised[0].columns[3, 1] == 5.0
    # The close event of minute 1 counts, not the answer of REST.
    assert revised[1].columns[3, 1] == 101.0


def test_duplicate_and_reordered_closes_change_nothing() -> None:
    closer = make_closer()
    newer = make_minute("AAAUSDT", 1, 50.0)
    feed_all(closer, KlineClosed(newer), KlineClosed(newer))
    # Its deadline is over by then: published at once, and again when it is complete.
    frames = frames_of(close_minute(closer, 0))
    assert [(f.open_time_ms, f.complete) for f in frames] == [
        (MIDNIGHT_MS, False),
        (MIDNIGHT_MS, True),
    ]
    assert close_minute(closer, 0) == []
    assert closer.counts["duplicates"] == 4
    [frame] = frames_of(close_minute(closer, 1, but="AAAUSDT"))
    assert frame.columns[3, 0] == 50.0


def test_correction_of_a_published_kline_is_a_new_revision() -> None:
    closer = make_closer()
    close_minute(closer, 0)
    corrected = make_minute("AAAUSDT", 0, 42.0, event_delay_ms=900)
    [frame] = frames_of(closer.feed(KlineClosed(corrected)))
    assert (frame.revision, frame.columns[3, 0]) == (2, 42.0)
    # An older event that comes later does not undo it.
    assert closer.feed(KlineClosed(make_minute("AAAUSDT", 0, 100.0))) == []


def test_minute_the_venue_does_not_have_is_void_and_the_frame_complete_without_it() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="BBBUSDT")
    [fetch] = fetches_of(closer.feed(ClockTicked(at(0, 1000))))
    [frame] = frames_of(closer.feed(answer(fetch, [make_minute("BBBUSDT", 1)], at(0, 1000))))
    assert (frame.complete, list(frame.present)) == (True, [True, False, True])
    [second] = frames_of(close_minute(closer, 1))
    assert second.present.all()


def test_halted_symbol_is_not_waited_for_and_returns_when_it_speaks() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="CCCUSDT")
    now_ms = at(0, 1000)
    checks: list[Action] = []
    while not checks:
        actions = closer.feed(ClockTicked(now_ms))
        for fetch in fetches_of(actions):
            checks += closer.feed(answer(fetch, [], now_ms))
        checks = [action for action in checks if isinstance(action, CheckTrading)]
        now_ms += 100
        assert now_ms < at(0, 20_000)
    assert checks == [CheckTrading(("CCCUSDT",))]
    [frame] = frames_of(closer.feed(TradingKnown(frozenset({"CCCUSDT"}), frozenset())))
    assert (frame.complete, frame.revision) == (True, 2)
    # The next minute is complete at once, without it.
    [frame] = frames_of(close_minute(closer, 1, but="CCCUSDT"))
    assert frame.complete
    # It speaks again: asked for what lies between, and back in.
    assert [f.revision for f in frames_of(close_minute(closer, 2))] == [1]
    [fetch] = fetches_of(closer.feed(ClockTicked(at(2, 1000))))
    assert fetch.from_ms == MIDNIGHT_MS
    minutes = [make_minute("CCCUSDT", 2, 102.0), make_minute("CCCUSDT", 3)]
    frames = frames_of(closer.feed(answer(fetch, minutes, at(2, 1000))))
    assert [(f.open_time_ms, f.revision) for f in frames] == [(MIDNIGHT_MS + 2 * MINUTE_MS, 2)]
    assert frames[0].present.all()


def test_failed_fetch_is_asked_again_ever_more_slowly() -> None:
    closer = make_closer()
    close_minute(closer, 0, but="BBBUSDT")
    asked, now_ms = [], at(0)
    for _ in range(600):
        now_ms += 100
        for fetch in fetches_of(closer.feed(ClockTicked(now_ms))):
            asked.append(now_ms - at(0))
            closer.feed(
                FetchFailed(
                    symbol=fetch.symbol,
                    interval=fetch.interval,
                    from_ms=fetch.from_ms,
                    to_ms=fetch.to_ms,
                )
            )
    assert asked[:6] == [1000, 1600, 2800, 5200, 10000, 19600]
    assert {later - sooner for sooner, later in pairwise(asked[5:])} == {9600}


def test_stream_that_is_silent_while_rest_has_trades_is_replaced() -> None:
    closer = make_closer()
    replaced: list[Action] = []
    for minute in range(3):
        close_minute(closer, minute, but="BBBUSDT")
        [fetch] = fetches_of(closer.feed(ClockTicked(at(minute, 1000))))
        klines = [make_minute("BBBUSDT", minute), make_minute("BBBUSDT", minute + 1)]
        replaced += closer.feed(answer(fetch, klines, at(minute, 1000)))
    assert [a for a in replaced if isinstance(a, ReplaceStream)] == [ReplaceStream("BBBUSDT")]


def test_long_silence_is_one_question_a_symbol_and_no_empty_frames() -> None:
    closer = make_closer()
    close_minute(closer, 0)
    actions = closer.feed(ClockTicked(at(10, 1000)))
    assert frames_of(actions) == []
    fetches = fetches_of(actions)
    assert [(f.symbol, f.from_ms, f.to_ms) for f in fetches] == [
        (s, MIDNIGHT_MS + MINUTE_MS, MIDNIGHT_MS + 10 * MINUTE_MS) for s in SYMBOLS
    ]
    frames = []
    for fetch in fetches:
        klines = [make_minute(fetch.symbol, m, 100.0 + m) for m in range(1, 12)]
        frames += frames_of(closer.feed(answer(fetch, klines, at(10, 1000))))
    assert [f.open_time_ms for f in frames] == [MIDNIGHT_MS + m * MINUTE_MS for m in range(1, 11)]
    assert all(f.complete and f.revision == 1 for f in frames)


def test_clock_jump_of_hours_asks_for_a_new_start() -> None:
    closer = make_closer()
    actions = closer.feed(ClockTicked(at(300)))
    assert [type(action) for action in actions] == [Resync]


def test_before_history_is_in_place_closes_wait() -> None:
    config = CloserConfig(venue="binance", feed=Feed.SIMULATED, intervals=())
    closer = KlineCloser(config, SYMBOLS, frozenset(SYMBOLS), MIDNIGHT_MS)
    assert close_minute(closer, 0) == []
    assert closer.feed(ClockTicked(at(0, 5000))) == []
    closer.go_live()
    assert [f.complete for f in frames_of(closer.feed(ClockTicked(at(0, 5100))))] == [True]


def test_higher_frame_is_rolled_up_when_its_last_minute_closes() -> None:
    closer = make_closer((Interval.M3,))
    frames = []
    for minute in range(3):
        frames += frames_of(close_minute(closer, minute))
    assert [(f.interval, f.open_time_ms) for f in frames[2:]] == [
        (Interval.M1, MIDNIGHT_MS + 2 * MINUTE_MS),
        (Interval.M3, MIDNIGHT_MS),
    ]
    frame = frames[-1]
    # open of the first, highest, lowest, close of the last, sums.
    assert tuple(frame.columns[:, 0]) == (99.5, 103.0, 99.0, 102.0, 13.5, 1350.00000009, 9.0, 4.5)
    assert frame.complete


def test_higher_kline_whose_beginning_was_not_seen_is_the_venues_own() -> None:
    closer = make_closer((Interval.M3,))
    for symbol in SYMBOLS:
        closer.begin(
            symbol, MIDNIGHT_MS + MINUTE_MS, SymbolRollUps((Interval.M3,), MIDNIGHT_MS + MINUTE_MS)
        )
    close_minute(closer, 1)
    close_minute(closer, 2)
    fetches = fetches_of(closer.feed(ClockTicked(at(2, 1000))))
    assert [(f.symbol, f.interval, f.from_ms) for f in fetches] == [
        (s, Interval.M3, MIDNIGHT_MS) for s in SYMBOLS
    ]
    frames = []
    for fetch in fetches:
        own = make_minute(fetch.symbol, 0, 77.0)
        span = Kline(
            **{n: getattr(own, n) for n in own.__struct_fields__} | {"interval": Interval.M3}
        )
        frames += frames_of(closer.feed(answer(fetch, [span], at(2, 1600))))
    assert [(f.interval, f.complete) for f in frames] == [(Interval.M3, True)]
    assert set(frames[0].columns[3]) == {77.0}


def test_correction_within_a_closed_higher_kline_fetches_the_venues_own() -> None:
    closer = make_closer((Interval.M3,))
    for minute in range(3):
        close_minute(closer, minute)
    closer.feed(KlineClosed(make_minute("AAAUSDT", 1, 500.0, event_delay_ms=9000)))
    [fetch] = fetches_of(closer.feed(ClockTicked(at(2, 10_000))))
    assert (fetch.symbol, fetch.interval, fetch.from_ms) == ("AAAUSDT", Interval.M3, MIDNIGHT_MS)


def test_memory_of_old_minutes_is_given_back() -> None:
    closer = make_closer()
    for minute in range(400):
        close_minute(closer, minute)
        closer.feed(ClockTicked(at(minute, 500)))
    assert len(closer._drafts._drafts[Interval.M1]) <= 11


def test_symbol_that_cannot_be_repaired_is_given_up_and_starts_anew() -> None:
    closer = make_closer()
    for minute in range(130):
        close_minute(closer, minute, but="BBBUSDT" if minute == 0 else "")
        for fetch in fetches_of(closer.feed(ClockTicked(at(minute, 2000)))):
            closer.feed(
                FetchFailed(
                    symbol=fetch.symbol,
                    interval=fetch.interval,
                    from_ms=fetch.from_ms,
                    to_ms=fetch.to_ms,
                )
            )
    assert closer.counts["abandoned"] >= 1
    assert closer.symbols_behind == []


class PerfectVenue:
    """Answers every question from the truth, as REST would."""

    def __init__(self, truth: dict[str, list[Kline]]) -> None:
        self._truth = truth

    def answer(self, fetch: FetchKlines, now_ms: int) -> KlinesFetched:
        assert fetch.interval is Interval.M1
        klines = [
            k
            for k in self._truth[fetch.symbol]
            if k.open_time_ms >= fetch.from_ms and k.closed_at_ms <= now_ms
        ]
        return answer(fetch, klines, now_ms)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), damage=st.floats(0, 0.6), delay_minutes=st.integers(0, 3))
def test_any_damage_ends_in_the_frames_of_an_undamaged_feed(
    seed: int, damage: float, delay_minutes: int
) -> None:
    """Lost, double, late, reordered closes and refused repairs: the final frames are the same."""
    rng = random.Random(seed)
    # The last two minutes come undamaged: they show that the market has gone on.
    minutes, undamaged = 15, 2
    truth = {s: random_minutes(s, 0, minutes + undamaged, seed) for s in SYMBOLS}
    venue = PerfectVenue(truth)
    closer = make_closer((Interval.M3, Interval.M5))
    events: list[tuple[int, Event]] = []
    for klines in truth.values():
        for kline in klines[minutes:]:
            events.append((kline.closed_at_ms + 50, KlineClosed(kline)))
        for kline in klines[:minutes]:
            if rng.random() < damage / 2:
                continue
            delay_ms = rng.randrange(delay_minutes * MINUTE_MS + 2000)
            copies = 2 if rng.random() < damage else 1
            for copy in range(copies):
                arrival_ms = kline.closed_at_ms + 20 + delay_ms * (copy + (rng.random() < damage))
                events.append((arrival_ms, KlineClosed(kline)))
    end_ms = at(minutes + undamaged, 60_000)
    events += [(now_ms, ClockTicked(now_ms)) for now_ms in range(MIDNIGHT_MS, end_ms, 1000)]
    events.sort(key=lambda pair: pair[0])
    final: dict[tuple[Interval, int], Frame] = {}
    for now_ms, event in events:
        todo: list[Event] = [event]
        while todo:
            for action in closer.feed(todo.pop()):
                if isinstance(action, PublishFrame):
                    frame = action.frame
                    key = (frame.interval, frame.open_time_ms)
                    assert frame.revision == (final[key].revision + 1 if key in final else 1)
                    final[key] = frame
                elif isinstance(action, FetchKlines):
                    if rng.random() < damage:
                        todo.append(
                            FetchFailed(
                                symbol=action.symbol,
                                interval=action.interval,
                                from_ms=action.from_ms,
                                to_ms=action.to_ms,
                            )
                        )
                    else:
                        todo.append(venue.answer(action, now_ms))
    for interval in (Interval.M1, Interval.M3, Interval.M5):
        count = minutes * MINUTE_MS // interval.duration_ms
        for number in range(count):
            frame = final[(interval, MIDNIGHT_MS + number * interval.duration_ms)]
            assert frame.complete and frame.present.all()
            for index, symbol in enumerate(SYMBOLS):
                roll_ups = SymbolRollUps((interval,), MIDNIGHT_MS)
                spans = [s for k in truth[symbol] for s in roll_ups.add_minute(k)]
                rows = truth[symbol] if interval is Interval.M1 else [s.kline for s in spans]
                row = rows[number]
                assert row is not None
                assert tuple(frame.columns[:, index]) == row.row()
