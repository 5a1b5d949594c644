"""GitHub's workflows: they fit the published schema, pin what they use, and may do little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cli.deploy_target import NEEDED
from shared.settings import known_names

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# A commit, and beside it the release that it is.
PINNED = re.compile(r"uses: ([\w./-]+)@[0-9a-f]{40} # v?\d+(\.\d+)*$")


def load(name: str) -> dict[str, Any]:
    document = YAML(typ="safe").load((ROOT / ".github" / "workflows" / name).read_text())
    assert isinstance(document, dict)
    return document


def test_workflows_fit_githubs_schema() -> None:
    assert [path.name for path in WORKFLOWS] == ["backup.yml", "deploy.yml", "test.yml"]
    result = subprocess.run(
        (
            Path(sys.executable).with_name("check-jsonschema"),
            *("--builtin-schema", "vendor.github-workflows"),
            *WORKFLOWS,
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_pins_what_it_uses_and_may_only_read(path: Path) -> None:
    uses = [line.strip(" -") for line in path.read_text().splitlines() if " uses: " in line]
    foreign = [line for line in uses if "./" not in line]
    assert [line for line in foreign if not PINNED.fullmatch(line)] == []
    workflow = load(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert "uses" in job or job["timeout-minutes"] <= 60
    # A value that somebody else may write, within a script, would be a command.
    scripts = [
        s["run"] for j in workflow["jobs"].values() for s in j.get("steps", []) if "run" in s
    ]
    assert [script for script in scripts if "${{" in script] == []


def test_tests_run_what_a_developer_types_and_know_no_secret() -> None:
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    steps = load("test.yml")["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if str(step.get("run")).startswith("make")] == [
        "make check",
        "make test",
    ]
    assert "secrets." not in text


def test_deployment_follows_the_tests_and_sets_every_setting_it_needs() -> None:
    deploy = load("deploy.yml")["jobs"]["deploy"]
    assert deploy["needs"] == "test"
    step = next(step for step in deploy["steps"] if "closebell deploy" in step.get("run", ""))
    assert {name.upper() for name in NEEDED} <= set(step["env"])
    assert set(step["env"]) <= set(known_names())
    secret = {name for name, value in step["env"].items() if "secrets." in value}
    assert secret == {
        "DATABASE_URL",
        "FLY_API_TOKEN",
        "FUNCTION_SECRET",
        "SUPABASE_JWT_SECRET",
        "SUPABASE_SECRET_KEY",
        "UPSTASH_REDIS_REST_TOKEN",
        "VERCEL_TOKEN",
    }
    # The head of the file lists each of them, for whoever sets them.
    head = (ROOT / ".github" / "workflows" / "deploy.yml").read_text().partition("name:")[0]
    assert [name for name in step["env"] if name not in head] == []
