"""The arithmetic of cost: more of anything never costs less, tiers end where they say they end."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cost.commands import check_budget, plan_commands, slots_per_month
from shared.cost.memory import function_memory_bytes
from shared.cost.plan import (
    DASHBOARD_BYTES,
    INTERVALS,
    SECONDS,
    Configuration,
    check_configuration,
    first_intervals,
    load_measured,
    plan_usage,
)
from shared.cost.prices import (
    PRICES,
    Bill,
    Plan,
    Price,
    bills_by_host,
    host_of,
    load_prices,
    make_bill,
    plans_for,
)
from shared.cost.refusal import check_plan
from shared.errors import ConfigError, InvalidRequest
from shared.market.interval import Interval
from shared.usage import Meter

UNITS = load_measured().units
ON_FLY, ON_CLOUD_RUN = (plans_for(load_prices(), host) for host in ("fly", "cloud-run"))
DESIGN = Configuration(symbols=500, intervals=INTERVALS, traders=1_000)

configurations = st.builds(
    Configuration,
    symbols=st.integers(1, 1_000),
    intervals=st.sets(st.sampled_from(list(Interval)), min_size=1).map(
        lambda found: tuple(sorted(found, key=lambda i: i.duration_ms))
    ),
    traders=st.integers(0, 200_000),
    signals_per_trader_day=st.floats(0, 200),
    traders_per_user=st.integers(1, 50),
    dashboard_hours_per_user_day=st.floats(0, 24),
)


def used(asked: Configuration) -> dict[str, float]:
    return plan_usage(asked, UNITS)


def never_less(before: Configuration, after: Configuration) -> None:
    less = {m: (a, used(after)[m]) for m, a in used(before).items() if used(after)[m] < a - 1e-6}
    assert less == {}
    for plans in (ON_FLY, ON_CLOUD_RUN):
        assert make_bill(used(before), plans).usd <= make_bill(used(after), plans).usd


@given(configurations, st.integers(0, 500))
def test_more_symbols_never_use_less(asked: Configuration, more: int) -> None:
    never_less(asked, msgspec.structs.replace(asked, symbols=asked.symbols + more))


@given(configurations, st.integers(0, 100_000))
def test_more_traders_never_use_less(asked: Configuration, more: int) -> None:
    never_less(asked, msgspec.structs.replace(asked, traders=asked.traders + more))


@given(configurations, st.floats(0, 100))
def test_more_signals_never_use_less(asked: Configuration, more: float) -> None:
    changed = msgspec.structs.replace(
        asked, signals_per_trader_day=asked.signals_per_trader_day + more
    )
    never_less(asked, changed)


@given(configurations, st.sampled_from(list(Interval)))
def test_another_interval_never_takes_fewer_commands_bytes_or_calls(
    asked: Configuration, interval: Interval
) -> None:
    wider = tuple(dict.fromkeys((*asked.intervals, interval)))
    # More traders than a shard holds would be spread over fewer shards each.
    asked = msgspec.structs.replace(asked, traders=min(asked.traders, 10_000))
    before, after = used(asked), used(msgspec.structs.replace(asked, intervals=wider))
    for meter in (Meter.REDIS_COMMANDS, Meter.REDIS_BYTES, Meter.FUNCTION_INVOCATIONS):
        assert after[meter] >= before[meter]


@given(configurations)
def test_amounts_are_amounts(asked: Configuration) -> None:
    assert all(amount >= 0 for amount in used(asked).values())
    assert used(asked)[Meter.FUNCTION_MACHINE_SECONDS] >= used(asked)[Meter.FUNCTION_SECONDS]


def test_commands_of_the_design_are_within_the_promise() -> None:
    budget = plan_commands(INTERVALS, 500_000, starts=120, questions=15_600)
    check_budget(budget)
    assert slots_per_month(INTERVALS) == 43_200 + 8_640 + 2_880 + 720 + 30
    # 5 intervals × 7 commands × 120 starts, and 2 for each of 15,600 questions.
    assert (budget.starts, budget.questions) == (4_200, 31_200)
    assert used(DESIGN)[Meter.REDIS_COMMANDS] < 500_000
    assert budget.arithmetic.endswith(
        "+ 4200 of starting functions + 31200 for questions of users = 283623 a month"
    )


def test_commands_that_were_counted_are_no_more_than_planned() -> None:
    planned = plan_commands(INTERVALS, 500_000).total / slots_per_month(INTERVALS)
    assert UNITS.redis_commands_per_slot <= planned


def test_more_work_than_time_takes_another_machine() -> None:
    busy = msgspec.structs.replace(UNITS, run_seconds=120.0)
    machines = plan_usage(DESIGN, busy)[Meter.FUNCTION_MACHINE_SECONDS] / SECONDS
    # 55,470 runs, 15,000 questions and 600 saves, twice, at two minutes each: 3.3 months.
    assert machines == 4


def test_shards_are_called_one_by_one() -> None:
    one = Configuration(symbols=1, intervals=(Interval.M1,), traders=10_000, traders_per_user=10**6)
    two = msgspec.structs.replace(one, traders=10_001)
    calls = [used(asked)[Meter.FUNCTION_INVOCATIONS] for asked in (one, two)]
    assert calls[1] - calls[0] == 43_200


# --- prices


def plan(**fields: Any) -> Plan:
    given_fields: dict[str, Any] = {"service": "redis", "name": "a plan", "source": "s"}
    given_fields |= {"seen": date(2026, 1, 1), "verified": True}
    return Plan(**(given_fields | fields))


FREE = plan(name="free", included={"commands": 100.0})
PAID = plan(name="paid", monthly_usd=10.0, included={"commands": 50.0})
METERED = plan(
    name="metered", included={"commands": 50.0}, price={"commands": Price(per=10.0, usd=2.0)}
)


@pytest.mark.parametrize(
    ("commands", "name", "usd"),
    [
        (0, "free", 0.0),
        (100, "free", 0.0),
        # One more than is free: (100.001 − 50) / 10 × 2.
        (100.001, "metered", 10.0002),
        (150, "metered", 20.0),
    ],
)
def test_free_plan_holds_to_its_very_end(commands: float, name: str, usd: float) -> None:
    bill = make_bill({"commands": commands}, (FREE, METERED))
    assert (bill.lines[0].plan.name, bill.lines[0].usd) == (name, usd)


def test_cheapest_plan_that_holds_is_taken() -> None:
    bigger = plan(name="bigger", monthly_usd=10.0, included={"commands": 1_000.0})
    bill = make_bill({"commands": 120.0}, (FREE, METERED, bigger))
    assert [line.plan.name for line in bill.lines] == ["bigger"]
    assert bill.lines[0].because == ("commands",)
    assert make_bill({"commands": 110.0}, (FREE, METERED, bigger)).usd == 10.0


def test_plan_that_is_too_small_for_all_is_billed_as_the_largest() -> None:
    bill = make_bill({"commands": 1_000.0}, (FREE, PAID))
    assert (bill.lines[0].plan.name, bill.usd) == ("paid", 10.0)


def test_bills_by_host_begin_with_the_cheapest() -> None:
    many = msgspec.structs.replace(DESIGN, symbols=1_000)
    small, large = (
        bills_by_host(used(msgspec.structs.replace(many, traders=traders)), load_prices())
        for traders in (1_000, 10_000)
    )
    assert [(host, bill.usd) for host, bill in small.items()] == [
        ("cloud-run", 2.84),
        ("fly", 5.12),
    ]
    assert [(host, bill.usd) for host, bill in large.items()] == [
        ("fly", 30.68),
        ("cloud-run", 35.16),
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://closebell.fly.dev", "fly"),
        ("https://closebell-functions-1a2b.a.run.app/", "cloud-run"),
        ("http://127.0.0.1:8426", None),
        ("https://fly.dev.example.com", None),
        ("", None),
    ],
)
def test_host_of_the_functions_is_read_from_their_address(url: str, host: str | None) -> None:
    assert host_of(url) == host


def test_what_breaks_first_is_the_largest_share() -> None:
    other = plan(service="database", name="free", included={"bytes": 1_000.0})
    bill = make_bill({"commands": 30.0, "bytes": 900.0}, (FREE, other))
    assert bill.first is not None
    assert (bill.first.meter, bill.first.share) == ("bytes", 0.9)
    assert bill.arithmetic == "$0.00 = $0.00 a month"


def test_file_of_prices_has_a_source_and_a_date_for_each_plan() -> None:
    plans = load_prices()
    assert {p.service for p in plans} == {
        "collector", "functions", "redis", "database", "dashboard",
    }  # fmt: skip
    for found in plans:
        assert found.source.startswith("https://")
        assert date(2025, 8, 1) <= found.seen <= date(2026, 11, 21)
    # No word in the file goes unread: a misspelt one would be a price that counts for nothing.
    known = {*Meter, DASHBOARD_BYTES, "redis_stored_bytes", "realtime_connections"}
    assert {m for p in plans for m in (*p.included, *p.price)} <= known
    assert len(tomllib.loads(PRICES.read_text())["plans"]) == len(plans)


def test_machines_cost_what_the_host_says_for_a_month() -> None:
    usage: dict[str, float] = {"collector_seconds": SECONDS, "function_machine_seconds": SECONDS}
    usd = [p.usd(usage) for p in load_prices() if p.host == "fly"]
    # The collector's, and 256 MB, 512 MB and 1 GB for the functions: in Ashburn $2.19 and $3.69,
    # and twice the step between them more; Amsterdam is 3.85 % dearer.
    ashburn = [2.19, 2.19, 3.69, 3.69 + 2 * 1.50]
    assert usd == pytest.approx([price * 1.038461538 for price in ashburn], abs=0.02)


@pytest.mark.parametrize(
    ("symbols", "intervals", "traders", "machine"),
    [
        (500, 5, 1_000, "Fly Machine, 256 MB"),
        (100, 5, 10_000, "Fly Machine, 256 MB"),
        (500, 5, 10_000, "Fly Machine, 512 MB"),
        (1_000, 5, 1_000, "Fly Machine, 512 MB"),
        (1_000, 5, 10_000, "Fly Machine, 1 GB"),
        # There is no larger one in the file.
        (1_000, 5, 100_000, "Fly Machine, 1 GB"),
    ],
)
def test_functions_get_the_smallest_machine_that_holds_them(
    symbols: int, intervals: int, traders: int, machine: str
) -> None:
    asked = Configuration(symbols=symbols, intervals=first_intervals(intervals), traders=traders)
    plans = plans_for(load_prices(), "fly", function_memory_bytes(asked))
    assert [p.name for p in plans if p.service == "functions"] == [machine]


def test_design_costs_less_than_five_dollars_with_everything_on_fly() -> None:
    plans = plans_for(load_prices(), "fly", function_memory_bytes(DESIGN))
    assert make_bill(used(DESIGN), plans).usd == 4.56


# --- refusals


def test_plan_that_the_collector_would_refuse_is_refused_with_its_arithmetic() -> None:
    asked = Configuration(symbols=10, intervals=tuple(Interval), traders=10)
    bill = make_bill(used(asked), ON_CLOUD_RUN)
    with pytest.raises(ConfigError) as refused:
        check_budget(plan_commands(asked.intervals, 150_000))
    with pytest.raises(InvalidRequest) as caught:
        check_plan(asked, bill, usd_max=100.0, commands_max=150_000)
    assert refused.value.message in caught.value.message
    assert "72120 frame writes + 72120 reads" in caught.value.message


def test_plan_that_costs_more_than_its_budget_is_refused_with_the_bill() -> None:
    asked = msgspec.structs.replace(DESIGN, traders=100_000)
    bill = make_bill(used(asked), ON_CLOUD_RUN)
    with pytest.raises(InvalidRequest) as caught:
        check_plan(asked, bill, usd_max=5.0, commands_max=500_000)
    assert caught.value.message.startswith("expected at most $5.00 a month, was $2.28 Fly Machine")
    assert "Supabase Pro (" in caught.value.message
    assert caught.value.message.endswith(f"= ${bill.usd:.2f} a month")


def test_plan_that_no_machine_holds_is_refused_and_never_called_the_cheaper() -> None:
    def first(traders: int) -> tuple[str, Bill]:
        asked = msgspec.structs.replace(DESIGN, traders=traders)
        bills = bills_by_host(used(asked), load_prices(), function_memory_bytes(asked))
        host, bill = next(iter(bills.items()))
        check_plan(asked, bill, usd_max=1e9, commands_max=500_000)
        return host, bill

    assert first(1_000)[0] == "cloud-run"
    # 673 MB: more than Cloud Run's 512 MiB, whatever it costs.
    assert first(30_000)[0] == "fly"
    with pytest.raises(InvalidRequest, match=r"at most 1,034 MB of memory, .* was 1,459 MB"):
        first(100_000)


def test_plan_within_its_budget_is_not_refused() -> None:
    bill = make_bill(used(DESIGN), ON_CLOUD_RUN)
    check_plan(DESIGN, bill, usd_max=5.0, commands_max=500_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbols": 0}, "symbols"),
        ({"symbols": 1_001}, "symbols"),
        ({"traders": -1}, "traders"),
        ({"traders_per_user": 0}, "traders_per_user"),
        ({"dashboard_hours_per_user_day": 25}, "dashboard_hours_per_user_day"),
        ({"signals_per_trader_day": float("nan")}, "signals_per_trader_day"),
        ({"intervals": ()}, "intervals"),
    ],
)
def test_impossible_configuration_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_configuration(msgspec.structs.replace(DESIGN, **changes))
    assert caught.value.field == field


@pytest.mark.parametrize("count", [0, 6])
def test_number_of_intervals_that_there_is_not_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequest, match="1 to 5 intervals"):
        first_intervals(count)
