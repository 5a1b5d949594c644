"""`closebell cost plan` through typer's runner; what the running system uses: integration."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.cost_screens import cost_document
from cli.main import app
from shared.cost.prices import bills_by_host, load_prices

DESIGN = ("--symbols", "500", "--intervals", "5", "--traders", "1000")


def run(*words: str, columns: int = 80) -> Result:
    result = CliRunner().invoke(app, ["cost", *words], env={"COLUMNS": str(columns)})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_plan_shows_meters_services_and_what_breaks_first() -> None:
    result = run("plan", *DESIGN, "--functions", "cloud-run")
    assert result.exit_code == 0, result.output
    assert "A month of 500 symbols × 5 intervals (1m, 5m, 15m, 1h, 1d) × 1,000 traders" in (
        result.stdout
    )
    assert re.search(r"redis commands +280,473 +500,000 +56% ✓ +\$0\.56", result.stdout)
    assert re.search(r"collector +Fly Machine, 256 MB +\$2\.28", result.stdout)
    assert "Breaks first:" in result.stdout
    # Nothing is wider than the terminal, and nothing was cut to fit.
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "…" not in result.stdout


def test_plan_takes_the_cheaper_host_and_shows_the_other() -> None:
    result = run("plan")
    assert result.exit_code == 0, result.output
    assert re.search(r"^functions +Cloud Run, 1 vCPU, 512 MiB +\$0\.00$", result.stdout, re.M)
    assert "With the functions on Fly, too: $4.56 a month." in result.stdout
    document = json.loads(run("plan", "--json").stdout)
    assert document["functions_on"] == "cloud-run"
    assert document["usd_by_host"] == {"cloud-run": 2.28, "fly": 4.56}
    # Many symbols and traders: the machine is larger, and the seconds are no longer free.
    many = run("plan", "--symbols", "1000", "--traders", "10000", "--budget", "40")
    assert many.stdout.count("$6.76") == 2
    assert "With the functions on Fly, too: $35.36 a month." in many.stdout


def test_plan_over_budget_is_shown_and_refused_with_the_arithmetic() -> None:
    result = run("plan", *DESIGN, "--functions", "fly", "--budget", "4")
    assert result.exit_code == 2
    assert "expected at most $4.00 a month, was $2.28 Fly Machine, 256 MB + $2.28" in result.stderr
    assert "--functions cloud-run" in result.stderr
    assert "a month" in result.stdout
    assert run("plan", *DESIGN, "--functions", "fly").exit_code == 0
    assert run("plan", *DESIGN, "--budget", "2").exit_code == 2


def test_plan_that_the_collector_would_refuse_says_so() -> None:
    result = run("plan", "--intervals", "1m,3m,5m", "--commands-max", "100000", "--budget", "9")
    assert result.exit_code == 2
    assert "the collector would refuse to start: expected at most 100000 Redis commands" in (
        result.stderr
    )
    assert "66240 frame writes + 66240 reads by the functions" in result.stderr


def test_plan_as_json_is_one_document() -> None:
    result = run("plan", *DESIGN, "--functions", "cloud-run", "--json")
    document = json.loads(result.stdout)
    assert document["configuration"]["traders"] == 1_000
    assert document["usd_per_month"] < 5
    assert document["lines"][0]["seen"] == "2026-10-09"
    shares = {share["meter"]: share for share in document["shares"]}
    assert shares["redis_commands"]["amount"] == 280_473
    assert document["breaks_first"] in shares


def test_refused_plan_as_json_is_the_error() -> None:
    result = run("plan", *DESIGN, "--functions", "fly", "--budget", "4", "--json")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["field"]) == ("InvalidRequest", "budget")
    assert "= $" in error["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--intervals", "6"), "expected 1 to 5 intervals, or their names, was 6"),
        (("--intervals", "1m,7m"), "expected a number or some of 1m, 3m"),
        (("--intervals", ","), "expected at least one interval"),
        (("--symbols", "0"), "expected symbols of 1 to 1,000, was 0"),
        (("--traders", "-5"), "expected traders of 0 to 1,000,000, was -5"),
        (("--hours", "25"), "expected dashboard hours per user day of 0 to 24, was 25"),
    ],
)
def test_impossible_plan_is_refused_by_name(words: tuple[str, ...], said: str) -> None:
    result = run("plan", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_cost_without_a_system_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.settings.SETTINGS_FILES", ())
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = run()
    assert result.exit_code == 1
    assert "DATABASE_URL" in result.stderr


def meter(name: str, projected: float | None) -> dict[str, Any]:
    return {
        "meter": name,
        "unit": "s",
        "since": datetime(2026, 11, 21, tzinfo=UTC),
        "used_today": 60.0,
        "used_month": 60.0,
        "projected_month": projected,
        "free_limit": None,
        "share": None,
    }


def test_month_is_billed_when_all_that_is_up_has_a_rate() -> None:
    """The collector reports a little later than the functions: without it a month looks free."""
    functions, month_s = meter("function_machine_seconds", 2_592_000.0), 2_592_000.0
    for collector_s, usd in [(None, None), (month_s, 2.28)]:
        budget = [meter("collector_seconds", collector_s), functions]
        usage = {row["meter"]: row["projected_month"] or 0.0 for row in budget}
        bills = bills_by_host(usage, load_prices())
        assert cost_document(budget, bills, "cloud-run")["usd_per_month"] == usd
