"""docs/metrics.md names every metric; the Grafana dashboard asks only for those that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client.core import Metric
from pydantic import SecretStr

from collector.metrics import StatusMetrics
from collector.run import Collector
from functions.measures import Measures
from shared.settings import CollectorSettings

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "metrics.md").read_text("utf-8")
BOARD = json.loads((DOCS / "grafana" / "closebell.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
UNITS = {"none", "s", "bytes", "Bps", "reqps", "percentunit"}
# Of the Prometheus client, on Linux; and what Prometheus itself adds to each sample.
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
ADDED_LABELS = {"job", "instance", "le"}


@pytest.fixture(scope="module")
def families() -> list[Metric]:
    """Every family of both parts, also those without a sample."""
    measures = Measures()
    measures.watch(
        redis_commands=dict,
        redis_bytes=dict,
        window_loads=dict,
        rate_limited=dict,
        log_lines_dropped=dict,
        waiting=dict,
    )
    return [*collector_families(), *measures.registry.collect()]


def collector_families() -> list[Metric]:
    values: dict[str, Any] = {
        "upstash_redis_rest_url": "http://127.0.0.1:9",
        "upstash_redis_rest_token": SecretStr("a-token-for-tests"),
        "functions_url": "http://127.0.0.1:9",
        "function_secret": SecretStr("a-secret-for-tests"),
    }
    return list(StatusMetrics(Collector(CollectorSettings(**values)).status).collect())


def shown_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def sample_names(family: Metric) -> set[str]:
    if family.type == "histogram":
        return {f"{family.name}{end}" for end in ("_bucket", "_sum", "_count")}
    return {shown_name(family)}


async def test_page_names_every_metric_and_no_other(families: list[Metric]) -> None:
    names = {shown_name(f) for f in families if f.name.startswith("closebell_")}
    assert len(names) > 30
    assert set(re.findall(r"`(closebell_[a-z_]+)`", PAGE)) == names


async def test_names_follow_the_conventions_of_prometheus(families: list[Metric]) -> None:
    for family in families:
        assert not re.search(r"_(ms|millis|count|bytes_total_total)$", family.name), family.name
        assert family.documentation, family.name


async def test_dashboard_asks_only_for_metrics_that_there_are(families: list[Metric]) -> None:
    known = PROCESS.union(*(sample_names(family) for family in families))
    asked: set[str] = set()
    for expression in EXPRESSIONS:
        tree = promql_parser.parse(expression.replace("$__rate_interval", "5m"))

        def visit(node: Any) -> bool:
            if isinstance(node, promql_parser.VectorSelector):
                asked.add(str(node.name))
            return True

        promql_parser.walk(tree, visit)
    assert asked - known == set()
    assert len(asked) > 25


async def test_dashboard_groups_by_labels_that_are_on_the_page() -> None:
    rows = re.findall(r"^\| (`closebell_[^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)
    labels = {label for _, cell in rows for label in re.findall(r"`(\w+)`", cell)} | ADDED_LABELS
    for panel in PANELS:
        for target in panel["targets"]:
            listed = re.findall(r"by \(([^)]*)\)", target["expr"])
            used = {label.strip() for group in listed for label in group.split(",")}
            used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= labels, target
            # A legend can only show what the grouping has kept.
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for group in listed:
                assert shown <= {label.strip() for label in group.split(",")}, target


def test_every_panel_says_what_it_shows_and_has_a_place_of_its_own() -> None:
    assert len(PANELS) >= 20
    places: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert grid["x"] + grid["w"] <= 24
        assert not cells & places, panel["title"]
        places |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for panel in PANELS:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"]["uid"] == "${datasource}"
