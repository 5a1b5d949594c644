"""Fixtures that more than one folder uses. The whole local cloud is started once a session."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.stack import Stack

# The same examples everywhere and every time, however slow the machine is. To look for others:
# make test ARGS="tests/unit --hypothesis-profile=default"
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")

# Whoever starts the tests in the background makes them deaf to Ctrl-C, and so every program they
# start; those that must end on it would not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# 30 instruments of 40: the chain is the same as with 500, two cores have time for a browser.
SMALL_MARKET = {"VENUE_SYMBOLS": "40", "UNIVERSE_SIZE": "30", "VENUE_HISTORY_DAYS": "30"}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """All parts with the demo account and its traders, on a small simulated market."""
    # Imported here: unit tests start faster without the local cloud's drivers.
    from tests.stack import Stack

    with Stack(environment=SMALL_MARKET) as running:
        yield running
