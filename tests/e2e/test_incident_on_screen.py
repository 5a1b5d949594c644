"""The collector stands still: an operator sees what is wrong, takes it in hand, sees it end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from local.secrets import DEMO_EMAIL
from tests.account import PASSWORD, Account
from tests.conftest import SMALL_MARKET
from tests.stack import Stack

# The next close, the look of the minute after it, the page's next question, and a busy machine.
SEEN_MS = 300_000
# An incident that lasts would make every other test wait: shorter limits, the same ways.
LIMITS = {"watch_after_s": "5", "feed_stale_after_s": "20", "incident_quiet_s": "1"}


def query(stack: Stack, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        cursor = database.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def stack_of_its_own() -> Iterator[Stack]:
    """All parts: a collector that stands still must disturb no other test."""
    with Stack(environment=SMALL_MARKET) as stack:
        for name, value in LIMITS.items():
            query(stack, "update ops.settings set value = %s where name = %s", value, name)
        yield stack


def open_page(browser: Browser, stack: Stack, width: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.set_default_timeout(SEEN_MS)
    page.goto(stack.url)
    return page


def test_collector_that_stands_still_is_an_incident_until_it_goes_on(
    stack_of_its_own: Stack, browser: Browser
) -> None:
    stack = stack_of_its_own
    operator = open_page(browser, stack, 1280)
    operator.get_by_test_id("demo-sign-in").click()
    expect(operator.get_by_test_id("connection")).to_contain_text("Live")
    account = Account(stack, "ordinary@example.com")
    user = open_page(browser, stack, 360)
    user.get_by_test_id("email").fill(account.email)
    user.get_by_test_id("password").fill(PASSWORD)
    user.get_by_test_id("auth-submit").click()
    finished = "select 1 from ops.runs where status = 'finished' and trader_id is null"
    stack.wait_for(lambda: query(stack, finished) != [], "a close to be evaluated", 180)
    expect(operator.get_by_test_id("incidents")).to_have_count(0, timeout=SEEN_MS)

    pid = stack.supervisor.pids()["collector"]
    os.kill(pid, signal.SIGSTOP)
    try:
        banner = operator.get_by_test_id("incidents")
        stale = banner.locator('article[data-kind="feed_stale"]')
        expect(stale).to_contain_text("Market data is late", timeout=SEEN_MS)
        expect(stale).to_contain_text("binance 1m")
        expect(banner.locator('article[data-kind="slot_missing"]')).to_be_visible()
        assert [v["id"] for v in Axe().run(operator).response["violations"]] == []

        stale.get_by_test_id("acknowledge").click()
        operator.get_by_label("A note for others").fill("waking the collector")
        operator.get_by_test_id("confirm-acknowledge").click()
        in_hand = operator.get_by_test_id("in-hand")
        in_hand.locator("summary").click()
        expect(in_hand.locator('[data-kind="feed_stale"]').first).to_contain_text(
            "waking the collector"
        )
        expect(stale).to_have_count(0)
        taken = "select kind, note from ops.incidents where acknowledged_at is not null"
        assert set(query(stack, taken)) == {
            ("feed_stale", f"{DEMO_EMAIL}: waking the collector"),
        }

        # An ordinary user is told how old the data is, and nothing of the machinery.
        expect(user.get_by_test_id("data-age")).to_have_attribute("data-stale", "true")
        expect(user.get_by_test_id("stale-banner")).to_contain_text("No 1m close from binance")
        expect(user.get_by_test_id("incidents")).to_have_count(0)
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(operator.get_by_test_id("incidents")).to_have_count(0, timeout=SEEN_MS)
    closed = query(stack, "select kind, closed_by from ops.incidents order by kind")
    assert {"feed_stale", "slot_missing"} <= {kind for kind, _ in closed}
    assert {closed_by for _, closed_by in closed} == {"watch"}
    assert query(stack, "select 1 from ops.incidents where kind = 'cron_silent'") == []
