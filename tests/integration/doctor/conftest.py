"""One running local cloud for all tests of the doctor; each test mends what it broke."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from dotenv import dotenv_values

from local.run import tell_operator
from tests.stack import Stack

PARTS = ("gateway", "collector", "functions", "rest", "realtime", "requests", "schedules")
# The market's history is most of a start: eight instruments and three days say as much.
SMALL = {
    "UNIVERSE_SIZE": "8",
    "INTERVALS": "1m",
    "VENUE_SYMBOLS": "12",
    "VENUE_HISTORY_DAYS": "3",
}


@pytest.fixture(scope="package")
def cloud() -> Iterator[Stack]:
    """Every part, with a small market."""
    with Stack(names=PARTS, environment=SMALL) as stack:
        url = stack.cloud.local_url(stack.cloud.ports.collector)

        def is_fresh() -> bool:
            return httpx.get(f"{url}/health", timeout=10, trust_env=False).status_code == 200

        stack.wait_for(is_fresh, "the collector to be fresh")
        yield stack


@pytest.fixture
def values(cloud: Stack) -> dict[str, str]:
    """The settings that `make run` would write for the command line."""
    tell_operator(cloud.cloud)
    written = dotenv_values(cloud.state.operator_file)
    return {name.lower(): text for name, text in written.items() if text}
