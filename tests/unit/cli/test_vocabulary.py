"""`closebell rules functions`: the registry as a list to choose from."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from shared.rules import FUNCTIONS


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rules", "functions", *words], env={"COLUMNS": "100"})
    return result.exit_code, result.stdout, result.stderr


def test_every_function_is_listed_with_its_signature() -> None:
    code, shown, _ = run()
    lines = shown.splitlines()
    assert code == 0
    for entry in FUNCTIONS.values():
        assert any(line.startswith(f"{entry.signature} ") for line in lines), entry.name
    assert not any(line.startswith("_") for line in lines)


@pytest.mark.parametrize("name", ["rsi", "ta.rsi", "RSI"])
def test_one_name_shows_all_there_is(name: str) -> None:
    code, shown, _ = run(name)
    assert code == 0
    assert shown.splitlines()[0] == "rsi(source=close, n)"
    assert "rsi(14) < 30" in shown and "ta.rsi" in shown


def test_json_holds_what_an_editor_completes_from() -> None:
    code, shown, _ = run("stoch_k", "--json")
    (word,) = json.loads(shown)
    assert code == 0
    assert (word["name"], word["gives"]) == ("stoch_k", "number")
    assert word["signature"] == FUNCTIONS["stoch_k"].signature
    assert word["example"] == FUNCTIONS["stoch_k"].example


def test_unknown_name_is_code_2_with_the_nearest() -> None:
    code, shown, error = run("rzi")
    assert (code, shown) == (2, "")
    assert error == "closebell: expected a function or a series, was rzi (did you mean rsi?)\n"
