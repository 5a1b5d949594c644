"""docs/deploy.md names what a deployment needs, and the figures it states are the measured ones."""

from __future__ import annotations

import json
from pathlib import Path

from cli.deploy_target import NEEDED, REFUSED_REGIONS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_page_says_where_each_needed_setting_comes_from() -> None:
    before = PAGE.partition("## Before")[2].partition("## Deploy")[0]
    assert [name for name in NEEDED if f"`{name.upper()}=" not in before] == []
    assert not any(f"FLY_REGION={region}" in PAGE for region in REFUSED_REGIONS)


def test_page_states_the_measured_sizes_of_the_images() -> None:
    figures = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
    sizes = {f["name"]: round(f["value"]) for f in figures if f["name"].startswith("image_")}
    text = " ".join(PAGE.split())
    assert (
        f"{sizes['image_collector']} and {sizes['image_functions']} MB unpacked,"
        f" {sizes['image_collector_compressed']} and {sizes['image_functions_compressed']} MB"
        " compressed"
    ) in text
