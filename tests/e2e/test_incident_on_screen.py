"""The collector stands still: an operator sees what is wrong, takes it in hand, sees it end.
The tick is paused: an operator sees who and why, every user that evaluation is held back.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from local.secrets import DEMO_EMAIL
from tests.account import PASSWORD, Account
from tests.stack import Stack

# The next close, the page's next question, and a busy machine.
SEEN_MS = 300_000
# An incident that lasts would make every other test wait: shorter limits, the same ways.
LIMITS = {"watch_after_s": "5", "feed_stale_after_s": "20", "incident_quiet_s": "1"}
# The page calls data late 120 s after the newest close, the watch 80 s after it. A page whose clock
# is set forward by this calls only that late which the watch does: 115 s is the most of a feed
# that goes on.
FORWARD_S = 50


def query(stack: Stack, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        cursor = database.execute(statement.encode(), arguments or None)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def watched(stack: Stack) -> Iterator[Stack]:
    """All parts, with limits for a short test; afterwards as before."""
    before = query(stack, "select name, value from ops.settings")
    for name, value in LIMITS.items():
        query(stack, "update ops.settings set value = %s where name = %s", value, name)
    yield stack
    for name, value in before:
        query(stack, "update ops.settings set value = %s where name = %s", value, name)


def open_page(browser: Browser, stack: Stack, width: int) -> Page:
    """Open the dashboard, with a clock of the page's own that can be set forward."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.set_default_timeout(SEEN_MS)
    page.clock.install()
    page.goto(stack.url)
    return page


def open_both(browser: Browser, stack: Stack, email: str) -> tuple[Page, Page]:
    """Open the dashboard as an operator at a desk and as an ordinary user on a phone."""
    operator = open_page(browser, stack, 1280)
    operator.get_by_test_id("demo-sign-in").click()
    expect(operator.get_by_test_id("connection")).to_contain_text("Live")
    account = Account(stack, email)
    user = open_page(browser, stack, 360)
    user.get_by_test_id("email").fill(account.email)
    user.get_by_test_id("password").fill(PASSWORD)
    user.get_by_test_id("auth-submit").click()
    return operator, user


def wait_for_look(stack: Stack, page: Page, is_seen: Callable[[], bool], expectation: str) -> None:
    """Look as the schedule would in the next minute until the page, which asks by itself, shows it.

    That pg_cron makes this call each minute is not waited for: tests/sql/test_cron.py.
    """

    def looked() -> bool:
        query(stack, "call ops.run_schedule('watch')")
        page.wait_for_timeout(200)
        return is_seen()

    stack.wait_for(looked, expectation, SEEN_MS / 1000)


def test_collector_that_stands_still_is_an_incident_until_it_goes_on(
    watched: Stack, browser: Browser
) -> None:
    stack = watched
    operator, user = open_both(browser, stack, "ordinary@example.com")
    finished = (
        "select 1 from ops.runs where status = 'finished' and trader_id is null"
        " and \"interval\" = '1m' and closed_at > now() - interval '65 s'"
    )
    stack.wait_for(lambda: query(stack, finished) != [], "a close to be evaluated", 180)
    banner = operator.get_by_test_id("incidents")
    wait_for_look(stack, operator, lambda: banner.count() == 0, "no incident")
    expect(user.get_by_test_id("data-age")).to_have_attribute("data-stale", "false")
    ((began_at,),) = query(stack, "select now()")

    pid = stack.supervisor.pids()["collector"]
    os.kill(pid, signal.SIGSTOP)
    try:
        stale = banner.locator('article[data-kind="feed_stale"]')
        wait_for_look(stack, operator, lambda: stale.count() == 1, "an incident on screen")
        expect(stale).to_contain_text("Market data is late")
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
        taken = (
            "select kind, note from ops.incidents"
            " where acknowledged_at is not null and raised_at > %s"
        )
        assert set(query(stack, taken, began_at)) == {
            ("feed_stale", f"{DEMO_EMAIL}: waking the collector"),
        }

        # An ordinary user is told how old the data is, and nothing of the machinery.
        # Far enough for its next question, too.
        with user.expect_response(lambda response: "feed_status" in response.url):
            user.clock.fast_forward(FORWARD_S * 1000)
        expect(user.get_by_test_id("data-age")).to_have_attribute("data-stale", "true")
        expect(user.get_by_test_id("stale-banner")).to_contain_text("No 1m close from binance")
        expect(user.get_by_test_id("incidents")).to_have_count(0)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for_look(stack, operator, lambda: banner.count() == 0, "the end of the incidents")
    closed = query(
        stack, "select kind, closed_by from ops.incidents where raised_at > %s", began_at
    )
    assert {"feed_stale", "slot_missing"} <= {kind for kind, _ in closed}
    assert {closed_by for _, closed_by in closed} == {"watch"}
    assert "cron_silent" not in {kind for kind, _ in closed}
    for page in (operator, user):
        page.context.close()


def test_paused_tick_is_told_to_the_operator_and_to_every_user(
    watched: Stack, browser: Browser
) -> None:
    stack = watched
    operator, user = open_both(browser, stack, "waiting@example.com")
    evaluated = "select 1 from public.feed_status"
    stack.wait_for(lambda: query(stack, evaluated) != [], "a close to be evaluated", 180)
    expect(user.get_by_test_id("data-age")).to_be_visible()
    paused = operator.locator('article[data-kind="schedule_paused"]')
    query(stack, "select ops.pause('tick', 'infinity', 'a new venue is tried')")
    try:
        wait_for_look(stack, operator, lambda: paused.count() == 1, "the pause on screen")
        expect(paused).to_contain_text("tick is paused until it is resumed: a new venue is tried")
        user.clock.fast_forward(FORWARD_S * 1000)
        for tab in ("tab-signals", "tab-traders"):
            user.get_by_test_id(tab).click()
            expect(user.get_by_test_id("paused-banner")).to_contain_text("Evaluation is paused")
        expect(user.get_by_text("a new venue is tried")).to_have_count(0)
        assert [v["id"] for v in Axe().run(user).response["violations"]] == []
    finally:
        query(stack, "select ops.resume('tick')")
    user.clock.fast_forward(FORWARD_S * 1000)
    expect(user.get_by_test_id("paused-banner")).to_have_count(0)
    query(
        stack,
        "update ops.incidents set last_seen_at = last_seen_at - interval '1 minute'"
        " where kind = 'schedule_paused'",
    )
    wait_for_look(stack, operator, lambda: paused.count() == 0, "the end of the pause")
    for page in (operator, user):
        page.context.close()
