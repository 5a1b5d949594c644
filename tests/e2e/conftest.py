"""A real browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# What a machine under load may need; a quiet one needs a tenth of it.
TIMEOUT_MS = 60_000
# --no-sandbox: root has none. The rest keeps it from looking for its maker's hosts.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not longer than its module: while it lives, no asyncio test can run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT_MS)
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=2 * TIMEOUT_MS
        )
        yield chromium
        chromium.close()
