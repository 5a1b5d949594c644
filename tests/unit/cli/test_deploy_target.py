"""What follows from the settings of a deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.deploy_target import NEEDED, Target, check_target, find_missing
from shared.settings import (
    CollectorSettings,
    DeploySettings,
    FunctionsSettings,
    known_names,
    load_settings,
)

URL = "https://your-app.fly.dev"


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Return a target of nothing but the examples."""
    for name in known_names():
        monkeypatch.delenv(name, raising=False)
    values = {name: needed.example for name, needed in NEEDED.items()}
    follows = values | {"functions_url": URL}
    return Target(
        deploy=load_settings(DeploySettings, [], values),
        collector=load_settings(CollectorSettings, [], follows),
        functions=load_settings(FunctionsSettings, [], follows),
    )


def test_examples_are_settings_that_could_be(examples: Target) -> None:
    check_target(examples)
    assert find_missing(examples.deploy) == []
    assert find_missing(load_settings(DeploySettings, [])) == list(NEEDED)


def test_doctor_is_told_the_address_that_follows_and_nothing_of_another_system(
    examples: Target,
) -> None:
    told = examples.operator()
    assert told["FUNCTIONS_URL"] == URL
    assert told["COLLECTOR_URL"] == ""
    assert told["DATABASE_URL"] == NEEDED["database_url"].example
    assert "FLY_API_TOKEN" not in told
