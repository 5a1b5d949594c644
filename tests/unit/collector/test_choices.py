"""Universe, stream groups, command budget, REST gate, clock, malformed log: small pure choices."""

from __future__ import annotations

import pytest

from collector.clock import VenueClock
from collector.malformed import KEPT_MAX, RAW_BYTES_MAX, MalformedLog
from collector.rest_gate import RestGate
from collector.universe import UniverseRule, choose_universe
from collector.venues.binance.messages import ExchangeInfo, SymbolInfo, Ticker
from collector.venues.binance.subscribe import URL_LENGTH_MAX, stream_groups, stream_url
from shared.cost.commands import check_budget, plan_commands
from shared.errors import ConfigError, MalformedMessage
from shared.market.interval import Interval

RULE = UniverseRule(size=3, quote="USDT", volume_min=100.0)


def market(**volumes: str) -> tuple[ExchangeInfo, list[Ticker]]:
    """Return a market; a name in lower case is a halted instrument."""
    infos = [
        SymbolInfo(n.upper(), "TRADING" if n.isupper() else "BREAK", n.upper()[:-4], n.upper()[-4:])
        for n in volumes
    ]
    tickers = [Ticker(name.upper(), volume) for name, volume in volumes.items()]
    return ExchangeInfo(server_time=0, symbols=infos), tickers


def test_universe_is_the_largest_trading_ones_of_the_quote_by_volume() -> None:
    info, tickers = market(
        AUSDT="500.5",
        BUSDT="900.0",
        CUSDT="100.0",
        DUSDT="700",
        eusdt="9999",
        FUSDC="800",
        GUSDT="99.99",
        HUSDT="x",
    )
    universe = choose_universe(RULE, info, tickers, None)
    assert universe.symbols == ("BUSDT", "DUSDT", "AUSDT")
    assert universe.trading == {"BUSDT", "DUSDT", "AUSDT"}


def test_universe_equal_volumes_stand_in_alphabetical_order() -> None:
    info, tickers = market(BUSDT="500", AUSDT="500.0", CUSDT="500.00", DUSDT="500")
    assert choose_universe(RULE, info, tickers, None).symbols == ("AUSDT", "BUSDT", "CUSDT")


def test_universe_explicit_list_is_ordered_by_volume_and_knows_who_is_halted() -> None:
    info, tickers = market(AUSDT="1", busdt="50", FUSDC="20")
    rule = UniverseRule(size=3, quote="USDT", volume_min=100.0, symbols=("FUSDC", "AUSDT", "BUSDT"))
    universe = choose_universe(rule, info, tickers, None)
    assert universe.symbols == ("BUSDT", "FUSDC", "AUSDT")
    assert universe.trading == {"FUSDC", "AUSDT"}


def test_universe_unknown_symbol_or_empty_result_is_refused_by_name() -> None:
    info, tickers = market(AUSDT="1")
    rule = UniverseRule(size=3, quote="USDT", volume_min=0, symbols=("AUSDT", "NOPEUSDT"))
    with pytest.raises(ConfigError, match="NOPEUSDT"):
        choose_universe(rule, info, tickers, None)
    with pytest.raises(ConfigError, match="EUR"):
        choose_universe(UniverseRule(size=3, quote="EUR", volume_min=0), info, tickers, None)


def test_stored_universe_stays_while_few_members_changed() -> None:
    volumes = {f"S{n:02d}USDT": str(1000 - n) for n in range(30)}
    rule = UniverseRule(size=20, quote="USDT", volume_min=0)
    info, tickers = market(**volumes)
    today = choose_universe(rule, info, tickers, None).symbols
    stored = (*today[2:], "S25USDT", "S27USDT")
    assert choose_universe(rule, info, tickers, stored).symbols == stored
    far = (*today[3:], "S25USDT", "S27USDT", "S28USDT")
    assert choose_universe(rule, info, tickers, far).symbols == today
    # Fewer are wanted now, or another quote: the stored list no longer answers the rule.
    small = UniverseRule(size=10, quote="USDT", volume_min=0)
    assert choose_universe(small, info, tickers, stored).symbols == today[:10]


def test_explicit_universe_takes_over_the_stored_order_only_if_it_is_the_same_set() -> None:
    info, tickers = market(AUSDT="1", BUSDT="2")
    rule = UniverseRule(size=3, quote="USDT", volume_min=0, symbols=("AUSDT", "BUSDT"))
    assert choose_universe(rule, info, tickers, ("AUSDT", "BUSDT")).symbols == ("AUSDT", "BUSDT")
    assert choose_universe(rule, info, tickers, ("AUSDT",)).symbols == ("BUSDT", "AUSDT")


def test_stream_groups_spread_the_ranking_and_keep_every_limit() -> None:
    symbols = tuple(f"SYMBOL{n}USDT" for n in range(500))
    groups = stream_groups(symbols, 200)
    assert [len(group) for group in groups] == [167, 167, 166]
    assert sorted(s for group in groups for s in group) == sorted(symbols)
    assert groups[0][:2] == ("SYMBOL0USDT", "SYMBOL3USDT")
    wide = stream_groups(symbols, 5000)
    assert all(len(stream_url("", group, Interval.M1)) <= URL_LENGTH_MAX for group in wide)
    assert stream_groups((), 200) == []


def test_stream_url_is_lower_case_and_encoded() -> None:
    url = stream_url("wss://host", ("BTCUSDT", "币USDT"), Interval.M1)
    assert url == "wss://host/stream?streams=btcusdt@kline_1m/%E5%B8%81usdt@kline_1m"


def test_budget_of_the_default_configuration_is_within_the_free_tier() -> None:
    intervals = (Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.D1)
    budget = plan_commands(intervals, 500_000)
    # 43,200 + 8,640 + 2,880 + 720 + 30 slots a month.
    assert (budget.writes, budget.reads, budget.looks) == (55_470, 55_470, 110_940)
    assert budget.total == 248_223
    check_budget(budget)


def test_budget_that_would_be_broken_is_refused_with_the_arithmetic() -> None:
    budget = plan_commands((Interval.M1,), 100_000)
    with pytest.raises(ConfigError, match="43200 frame writes") as caught:
        check_budget(budget)
    assert "COMMANDS_PER_MONTH_MAX" in caught.value.hint


def test_gate_holds_calls_back_until_the_venues_next_minute() -> None:
    gate = RestGate(100)
    assert gate.wait_s(80, 0.8, now_s=0, wall_s=120.0) == 0
    assert gate.wait_s(2, 0.8, now_s=1, wall_s=121.0) == 59.0
    # Repairs may use more of the limit than history.
    assert gate.wait_s(2, 0.95, now_s=1, wall_s=121.0) == 0
    gate.note_used(99, wall_s=122.0)
    assert gate.wait_s(2, 0.95, now_s=2, wall_s=122.0) == 58.0
    assert gate.wait_s(2, 0.95, now_s=60, wall_s=180.0) == 0


def test_gate_is_silent_while_the_venue_refuses() -> None:
    gate = RestGate(100)
    gate.pause(30, now_s=10)
    gate.pause(5, now_s=11)
    assert gate.wait_s(1, 1.0, now_s=15, wall_s=0) == 25
    assert gate.wait_s(1, 1.0, now_s=40, wall_s=0) == 0
    assert gate.refused_count == 2


def test_clock_follows_the_venue_and_its_speed() -> None:
    wall = [1_000_000]
    clock = VenueClock(60.0, lambda: wall[0])
    clock.set_by(venue_ms=5_000_000, asked_wall_ms=999_990, answered_wall_ms=1_000_010)
    wall[0] += 1000
    assert clock.now_ms() == 5_060_000
    assert not clock.is_wrong


def test_clock_of_this_machine_that_is_off_is_said() -> None:
    clock = VenueClock(1.0, lambda: 1_000_000)
    clock.set_by(1_000_900, 999_990, 1_000_010)
    assert (clock.offset_ms, clock.is_wrong) == (900, False)
    clock.set_by(998_000, 999_990, 1_000_010)
    assert (clock.offset_ms, clock.is_wrong) == (-2000, True)
    assert clock.now_ms() == 998_000


def test_clock_of_the_venue_is_not_followed_against_its_own_klines() -> None:
    minute_ms = 60_000
    wall_ms = 1000 * minute_ms + 30_000
    clock = VenueClock(1.0, lambda: wall_ms)
    clock.set_by(wall_ms + 60_000, wall_ms, wall_ms)
    clock.judge_by(1000 * minute_ms)
    assert (clock.now_ms(), clock.follows_venue, clock.is_wrong) == (wall_ms, False, True)
    # The machine is the one that is wrong.
    clock.set_by(wall_ms + 60_000, wall_ms, wall_ms)
    clock.judge_by(1001 * minute_ms)
    assert (clock.now_ms(), clock.follows_venue) == (wall_ms + 60_000, True)


def test_malformed_log_counts_all_and_keeps_a_bounded_rest() -> None:
    malformed = MalformedLog()
    for number in range(KEPT_MAX + 20):
        error = MalformedMessage("expected JSON", kind="not_json" if number % 2 else "bad_value")
        malformed.add(error, b"%d" % number + b"x" * 10_000, number)
    assert malformed.counts == {"not_json": 60, "bad_value": 60}
    assert len(malformed.samples) == KEPT_MAX
    assert malformed.samples[0].raw.startswith(b"20x")
    assert len(malformed.samples[0].raw) == RAW_BYTES_MAX
