"""What each fault does to the closes of a minute, to requests, and for how long."""

from __future__ import annotations

import pytest

from local.venue.fault import Delivery, Fault
from local.venue.faults import Faults

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
PLAIN = [(0, 20), (1, 30), (2, 40)]


def plan(*faults: Fault) -> list[Delivery]:
    of = Faults(SYMBOLS)
    for fault in faults:
        of.add(fault, 0.0)
    return of.plan_closes(PLAIN, 1.0)


def test_plan_without_faults_is_the_plain_one() -> None:
    assert plan() == [Delivery(0, 20), Delivery(1, 30), Delivery(2, 40)]


def test_missing_close_is_not_planned() -> None:
    assert plan(Fault(kind="missing", symbols=["BUSDT"])) == [Delivery(0, 20), Delivery(2, 40)]


def test_late_close_waits_longer_or_for_another_minute() -> None:
    late = plan(
        Fault(kind="late", symbols=["AUSDT"], delay_ms=700),
        Fault(kind="late", symbols=["CUSDT"], delay_ms=0, delay_minutes=2),
    )
    assert late == [Delivery(0, 720), Delivery(1, 30), Delivery(2, 40, 2)]


def test_duplicate_close_is_planned_twice() -> None:
    assert plan(Fault(kind="duplicate", symbols=["AUSDT"], delay_ms=5)) == [
        Delivery(0, 20),
        Delivery(0, 25),
        Delivery(1, 30),
        Delivery(2, 40),
    ]


def test_reordered_closes_come_last_first_and_after_the_next_minute() -> None:
    assert plan(Fault(kind="reordered")) == [
        Delivery(2, 40, after_next=True),
        Delivery(1, 30, after_next=True),
        Delivery(0, 20, after_next=True),
    ]


def test_malformed_close_is_damaged_in_turn_or_as_told() -> None:
    told = plan(Fault(kind="malformed", replace=True, variant="truncated"))
    assert [one.variant for one in told] == ["truncated"] * 3
    in_turn = plan(Fault(kind="malformed", replace=True))
    assert [one.variant for one in in_turn] == ["bad_json", "wrong_types", "unknown_event"]


def test_counted_fault_ends_after_its_minutes() -> None:
    of = Faults(SYMBOLS)
    of.add(Fault(kind="missing", count=2), 0.0)
    counts = []
    for _ in range(3):
        counts.append(len(of.plan_closes(PLAIN, 0.0)))
        of.end_minute(0.0)
    assert counts == [0, 0, 3]
    assert of.struck["missing"] == 6
    assert of.in_force(0.0) == []


def test_timed_fault_ends_with_its_time() -> None:
    of = Faults(SYMBOLS)
    of.add(Fault(kind="silence", symbols=["AUSDT"], duration_s=10), 100.0)
    assert of.is_silent("AUSDT", 109.9)
    assert not of.is_silent("BUSDT", 109.9)
    assert not of.is_silent("AUSDT", 110.0)


def test_http_fault_meets_its_path_and_count() -> None:
    of = Faults(SYMBOLS)
    of.add(Fault(kind="http", status=418, count=2, path="/api/v3/klines"), 0.0)
    assert of.http_fault("/api/v3/time", 0.0) is None
    met = [of.http_fault("/api/v3/klines", 0.0) for _ in range(3)]
    assert [one.status if one else None for one in met] == [418, 418, None]


def test_wrong_clock_adds_its_offset_while_in_force() -> None:
    of = Faults(SYMBOLS)
    of.add(Fault(kind="wrong_clock", offset_ms=-5_000, duration_s=2), 0.0)
    assert of.clock_offset_ms(1.0) == -5_000
    assert of.clock_offset_ms(2.0) == 0


def test_storm_of_the_same_seed_is_the_same() -> None:
    def storms(seed: int) -> list[list[Fault]]:
        of = Faults(SYMBOLS)
        of.add(Fault(kind="storm", seed=seed, count=20, share=0.3), 0.0)
        return [of.storm_faults(minute * 60_000, 0.0) for minute in range(25)]

    assert storms(1) == storms(1)
    assert storms(1) != storms(2)
    assert any(storms(1)[:20])
    assert storms(1)[20:] == [[]] * 5


def test_fault_of_an_unknown_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="'ZUSDT'"):
        Faults(SYMBOLS).add(Fault(kind="missing", symbols=["ZUSDT"]), 0.0)


def test_too_many_faults_are_refused() -> None:
    of = Faults(SYMBOLS)
    for _ in range(1_000):
        of.add(Fault(kind="late"), 0.0)
    with pytest.raises(ValueError, match="at most 1000"):
        of.add(Fault(kind="late"), 0.0)
