"""The whole chain: a simulated minute closes, and its signal appears in a real browser."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.account import PASSWORD, Account
from tests.stack import Stack

# The next minute's close, the run, and time for a busy machine.
NEXT_CLOSE_MS = 120_000
# A close that a busy machine was late for says so; one of the next is live.
LIVE_TIMEOUT_S = 300.0
LOADED = "document.querySelector('main') && !document.querySelector('.skeleton')"


def sign_in(browser: Browser, stack: Stack, account: Account, width: int = 1280) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(NEXT_CLOSE_MS)
    page.goto(stack.url)
    page.get_by_test_id("email").fill(account.email)
    page.get_by_test_id("password").fill(PASSWORD)
    page.get_by_test_id("auth-submit").click()
    expect(page.get_by_test_id("connection")).to_contain_text("Live")
    return page


def test_close_of_a_simulated_minute_becomes_a_row(stack: Stack, browser: Browser) -> None:
    account = Account(stack, "row@example.com")
    page = sign_in(browser, stack, account)
    saved = account.save_trader("close > 0", trigger="while", universe=["BTCUSDT"])
    assert saved.status_code == 200, saved.text
    saved_at_ms = time.time() * 1000
    row = page.get_by_test_id("signal-rows").locator("tr", has_text="BTCUSDT")
    # One at once for the last closed slot, then one for each close.
    expect(row.first).to_be_visible(timeout=NEXT_CLOSE_MS)
    before = row.count()
    expect(row.nth(before)).to_be_visible(timeout=NEXT_CLOSE_MS)

    saved_at = datetime.fromtimestamp(saved_at_ms // 1000, UTC)
    after = f"gt.{saved_at:%Y-%m-%dT%H:%M:%SZ}"

    def live() -> list[dict[str, Any]]:
        return account.get("signals", closed_at=after, origin="eq.live", order="closed_at")

    stack.wait_for(lambda: live() != [], "a live signal", LIVE_TIMEOUT_S)
    stored = live()[0]
    newest = page.locator(f'[data-signal-id="{stored["id"]}"]')
    expect(newest).to_contain_text("BTCUSDT")
    expect(newest).to_contain_text("SIMULATED")
    assert stored["origin"] == "live"
    assert stored["feed"] == "simulated"
    assert list(stored["values"]) == ["close"]
    assert float(stored["price"]) == stored["values"]["close"] > 0
    assert 0 <= stored["data_age_ms"] <= 10_000
    shown = "id => window.__closebell.signalShownAt.get(id)"
    shown_ms = page.wait_for_function(shown, arg=stored["id"]).json_value()
    assert shown_ms > saved_at_ms
    page.close()


def test_wrong_rule_is_refused_with_its_place_and_stored_nowhere(
    stack: Stack, browser: Browser
) -> None:
    account = Account(stack, "wrong@example.com")
    page = sign_in(browser, stack, account)
    page.goto(f"{stack.url}/#/traders/new")
    page.get_by_test_id("trader-name").fill("Typo")
    page.get_by_test_id("rule").fill("rsy(14) < 30")
    page.get_by_test_id("check-rule").click()
    expect(page.get_by_test_id("rule-error")).to_contain_text("rsi")
    page.get_by_test_id("take-suggestion").click()
    expect(page.get_by_test_id("rule")).to_have_value("rsi(14) < 30")
    page.get_by_test_id("check-rule").click()
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    assert account.get("traders") == []
    page.get_by_test_id("save-trader").click()
    expect(page.get_by_test_id("trader-list")).to_contain_text("rsi(14) < 30")
    assert [trader["rule"] for trader in account.get("traders")] == ["rsi(14) < 30"]
    page.close()


def test_signals_of_others_never_reach_the_screen(stack: Stack, browser: Browser) -> None:
    other = Account(stack, "other@example.com")
    mine = Account(stack, "mine@example.com")
    page = sign_in(browser, stack, mine)
    saved = other.save_trader("close > 0", trigger="while", universe=["ETHUSDT"])
    assert saved.status_code == 200, saved.text
    trader_id = saved.json()["trader"]["id"]
    stack.wait_for(
        lambda: other.get("signals", trader_id=f"eq.{trader_id}") != [], "a signal of the other"
    )
    assert mine.get("signals") == []
    assert mine.get("traders") == []
    expect(page.get_by_test_id("no-signals")).to_be_visible()
    page.close()


def test_phone_width_has_no_sideways_scroll_and_no_accessibility_violation(
    stack: Stack, browser: Browser
) -> None:
    account = Account(stack, "phone@example.com")
    saved = account.save_trader("close > 0", trigger="while", universe=["BTCUSDT", "ETHUSDT"])
    assert saved.status_code == 200, saved.text
    page = sign_in(browser, stack, account, width=360)
    expect(page.get_by_text("BTCUSDT").first).to_be_visible(timeout=NEXT_CLOSE_MS)
    for path in ("signals", "traders", "traders/new"):
        page.goto(f"{stack.url}/#/{path}")
        page.wait_for_function(LOADED)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{path} is {width} px wide"
        violations = Axe().run(page).response["violations"]
        assert [violation["id"] for violation in violations] == [], path
    page.close()


def test_dashboard_goes_on_after_realtime_was_killed(stack: Stack, browser: Browser) -> None:
    account = Account(stack, "killed@example.com")
    page = sign_in(browser, stack, account)
    stack.kill("realtime")
    saved = account.save_trader("close > 0", trigger="while", universe=["BTCUSDT"])
    assert saved.status_code == 200, saved.text
    # Whether the doorbell is back or the page heals by itself: the row comes.
    expect(
        page.get_by_test_id("signal-rows").locator("tr", has_text="BTCUSDT").first
    ).to_be_visible(timeout=NEXT_CLOSE_MS)
    expect(page.get_by_test_id("connection")).to_contain_text("Live", timeout=NEXT_CLOSE_MS)
    page.close()
