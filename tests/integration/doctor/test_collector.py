"""Faults of the collector: gone, no collector at all, not fresh, and over its budget."""

from __future__ import annotations

import pytest

from cli.checks.check import Verdict
from local.ports import HOST
from tests.integration.doctor.patient import (
    FAULT,
    RESTART,
    WARNING,
    Answer,
    changed,
    elsewhere,
    examine,
    fails,
    frozen,
    hotel,
    standin,
)
from tests.integration.standin_servers import free_port
from tests.stack import Stack


def test_collector_is_frozen(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "collector"):
        found = examine(values, "collector", "budget")
    assert (found["collector"].verdict, found["collector"].mend) == (FAULT, RESTART)
    assert found["collector"].found.endswith("no answer in time")
    assert found["budget"].found == "skipped: needs collector"


def test_collector_is_gone(values: dict[str, str]) -> None:
    nobody = f"{HOST}:{free_port()}"
    gone = values | {"collector_url": f"http://{nobody}"}
    fails(examine(gone, "collector")["collector"], f"{nobody}: connection refused", RESTART)
    there = examine(elsewhere(gone), "collector")["collector"]
    assert there.mend == (
        "flyctl logs --app $(dotenv get FLY_APP), then flyctl apps restart $(dotenv get FLY_APP)"
    )


@pytest.mark.parametrize("answer", [hotel, lambda _: (200, "application/json", '{"status":"ok"}')])
def test_somebody_else_answers_for_the_collector(values: dict[str, str], answer: Answer) -> None:
    with standin(answer) as url:
        found = examine(values | {"collector_url": url}, "collector")["collector"]
    mend = "set COLLECTOR_URL in .env to the address of the collector"
    fails(found, "answered 200, but not as a collector does", mend)


@pytest.mark.parametrize(("used", "verdict"), [(425_000, WARNING), (550_000, FAULT)])
def test_budget_of_commands_is_nearly_or_fully_used(
    cloud: Stack, values: dict[str, str], used: int, verdict: Verdict
) -> None:
    """What the system has counted this month is the least that the month will use."""
    with changed(
        cloud,
        "create table kept as select * from ops.usage where meter = 'redis_commands';"
        " delete from ops.usage where meter = 'redis_commands';"
        " insert into ops.usage (meter, day, amount, first_at, settled_at, settled_amount)"
        f" select 'redis_commands', (now() at time zone 'UTC')::date, {used},"
        f" now() - interval '1 hour', now() - interval '30 minutes', {used}",
        "delete from ops.usage where meter = 'redis_commands';"
        " insert into ops.usage select * from kept; drop table kept",
    ):
        found = examine(values, "budget")["budget"]
    mend = "fewer INTERVALS in .env, or a higher COMMANDS_PER_MONTH_MAX, which costs"
    assert (found.verdict, found.mend) == (verdict, mend)
    words = " of 500,000 Redis commands a month, projected from what was sent"
    assert found.found.endswith(words)
    assert int(found.found.partition(" ")[0].replace(",", "")) >= used
