"""Close → screen: the whole chain on one machine, 1,000 traders × 500 symbols, a real browser.

The simulated venue runs in compressed time (a minute lasts MINUTE_S seconds) and starts in the
past; everything behind its socket runs at its real speed. Pokes drive the runs: pg_cron's own
minute would only add ticks for slots of the real present, so the timetable is switched off.

Clocks: one machine, so wall clocks of all processes are the same; the frame's `received_at_ms`
is the venue's (compressed) time and is mapped back with the venue's own clock.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import httpx
import psycopg
from playwright.sync_api import Browser, Page, sync_playwright

from bench.alerts import draw_alerts
from bench.figures import Figure, machine, percentile
from shared.market.frame import Frame, decode_frame
from shared.market.interval import MINUTE_MS, Interval
from shared.store.frames import klines_key
from tests.stack import Stack

TRADERS = 1_000
CLOSES = 40
WARM_UP_CLOSES = 5
# Real seconds of a venue minute: long enough for each close to end before the next begins.
MINUTE_S = 8.0
EMAIL, PASSWORD = "bench@example.com", "a long bench password"
CLOSE_TIMEOUT_S = 30.0
MINUTES_PER_MONTH = 43_200
STAGES = (
    "receive_to_packed",
    "packed_to_run_opened",
    "run_opened_to_claimed",
    "claimed_to_stored",
    "stored_to_screen",
)


class VenueTime:
    """Maps the venue's compressed time to this machine's clock."""

    def __init__(self, venue_url: str, speed: float) -> None:
        self.speed = speed
        best_ms = float("inf")
        for _ in range(20):
            asked_ms = time.time() * 1000
            venue_ms = httpx.get(f"{venue_url}/api/v3/time").json()["serverTime"]
            took_ms = time.time() * 1000 - asked_ms
            if took_ms < best_ms:
                best_ms, self._venue_ms, self._wall_ms = took_ms, venue_ms, asked_ms + took_ms / 2

    def venue_ms(self) -> float:
        """Return the venue's time now, in ms since the epoch."""
        return float(self._venue_ms + (time.time() * 1000 - self._wall_ms) * self.speed)

    def wall_ms(self, venue_ms: float) -> float:
        """Return when it was (or will be) that venue time, in ms since the epoch."""
        return float(self._wall_ms + (venue_ms - self._venue_ms) / self.speed)


def make_account(stack: Stack) -> None:
    """Sign the owner up and store the traders, enabled since long before the first close."""
    httpx.post(
        f"{stack.url}/auth/v1/signup",
        json={"email": EMAIL, "password": PASSWORD},
        headers={"apikey": stack.cloud.publishable_key},
        timeout=30,
    ).raise_for_status()
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        row = database.execute("select user_id from public.profiles").fetchone()
        assert row is not None
        database.execute("update public.profiles set tier_id = 'elite'")
        # Some on the other intervals, so that their slots are read and counted, too.
        intervals = ["1m"] * TRADERS + ["5m", "15m", "1h", "1d"] * 10
        rules = draw_alerts(len(intervals))
        with database.cursor() as cursor:
            cursor.executemany(
                "insert into public.traders"
                ' (user_id, name, rule, venue, "interval", trigger, enabled, enabled_at)'
                " values (%s, %s, %s, 'binance', %s, 'enter', true, now())",
                [
                    (row[0], f"trader {n}", rule, interval)
                    for n, (rule, interval) in enumerate(zip(rules, intervals, strict=True))
                ],
            )
        # Slots of the compressed past are owed to them too.
        database.execute("set session_replication_role = replica")
        database.execute("update public.traders set enabled_at = now() - interval '30 days'")
        database.execute("set session_replication_role = default")
        database.execute("select cron.unschedule(jobid) from cron.job")


def open_dashboard(browser: Browser, url: str) -> Page:
    """Return a signed-in page whose feed is live."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.get_by_test_id("email").fill(EMAIL)
    page.get_by_test_id("password").fill(PASSWORD)
    page.get_by_test_id("auth-submit").click()
    page.get_by_test_id("connection").get_by_text("live", exact=False).wait_for()
    return page


def wait_for_run(database: psycopg.Connection[Any], after_id: int) -> dict[str, Any]:
    """Return the next finished run after `after_id`, with its signals' ids, times in epoch ms."""
    deadline_s = time.monotonic() + CLOSE_TIMEOUT_S + MINUTE_S
    while time.monotonic() < deadline_s:
        row = database.execute(
            "select id, extract(epoch from closed_at) * 1000, extract(epoch from opened_at) * 1000,"
            " extract(epoch from claimed_at) * 1000, extract(epoch from finished_at) * 1000,"
            " attempt,"
            " array(select s.id from public.signals as s where s.run_id = r.id order by s.id desc)"
            " from ops.runs as r where id > %s and status = 'finished' and \"interval\" = '1m'"
            " order by id limit 1",
            (after_id,),
        ).fetchone()
        if row is not None:
            names = ("id", "closed_ms", "opened_ms", "claimed_ms", "finished_ms")
            run = dict(zip((*names, "attempt", "signal_ids"), row, strict=True))
            return {k: float(v) if k.endswith("_ms") else v for k, v in run.items()}
        time.sleep(0.05)
    raise AssertionError(f"expected a finished run after {after_id}, was none")


def wait_for_rows(page: Page, signal_ids: list[int]) -> float:
    """Return when the last of these signals was painted, in ms since the epoch."""
    handle = page.wait_for_function(
        "ids => { const m = window.__closebell?.signalShownAt; return m && ids.every(i => m.has(i))"
        " && Math.max(...ids.map(i => m.get(i))) }",
        arg=signal_ids,
        timeout=CLOSE_TIMEOUT_S * 1000,
    )
    return float(handle.json_value())


def watch_closes(stack: Stack, page: Page, clock: VenueTime) -> list[dict[str, float]]:
    """Return the stages of each close in ms, and what its run measured."""
    closes: list[dict[str, float]] = []
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        row = database.execute("select coalesce(max(id), 0) from ops.runs").fetchone()
        assert row is not None
        run_id = row[0]
        while len(closes) < CLOSES + WARM_UP_CLOSES:
            run = wait_for_run(database, run_id)
            run_id = run["id"]
            # A close without a signal shows nothing to anybody.
            if not run["signal_ids"] or run["attempt"] != 1:
                continue
            shown_ms = wait_for_rows(page, run["signal_ids"][:50])
            frame = load_frame(stack, int(run["closed_ms"]) - MINUTE_MS)
            received_ms = clock.wall_ms(frame.received_at_ms)
            packed_ms = clock.wall_ms(frame.published_at_ms)
            stages = (
                packed_ms - received_ms,
                run["opened_ms"] - packed_ms,
                run["claimed_ms"] - run["opened_ms"],
                run["finished_ms"] - run["claimed_ms"],
                shown_ms - run["finished_ms"],
            )
            closes.append(
                dict(zip(STAGES, stages, strict=True))
                | {"total": shown_ms - received_ms, "signals": float(len(run["signal_ids"]))}
                | function_stages(stack, run["id"])
            )
            print(
                f"  close {len(closes)}: {json.dumps({k: round(v) for k, v in closes[-1].items()})}"
            )
    return closes[WARM_UP_CLOSES:]


def function_stages(stack: Stack, run_id: int) -> dict[str, float]:
    """Return what the function itself measured of a run, by stage, from its log line."""

    def lines() -> list[dict[str, Any]]:
        found = (line for line in stack.log("functions").splitlines() if "run_finished" in line)
        return [line for line in map(json.loads, found) if line["run_id"] == run_id]

    stack.wait_for(lambda: bool(lines()), f"the log line of run {run_id}")
    return {f"function_{stage}": float(ms) for stage, ms in lines()[0]["stats"].items()}


def commands_sent(stack: Stack) -> int:
    """Return how many Redis commands the REST door has counted."""
    url = f"{stack.cloud.local_url(stack.cloud.ports.upstash)}/_meter"
    headers = {"Authorization": f"Bearer {stack.cloud.secrets.redis_token}"}
    return int(httpx.get(url, headers=headers).raise_for_status().json()["total"])


def load_frame(stack: Stack, open_time_ms: int) -> Frame:
    """Return a stored 1m frame, asked for over the REST door."""
    answer = httpx.post(
        stack.cloud.local_url(stack.cloud.ports.upstash),
        json=["HGET", klines_key("binance", Interval.M1), str(open_time_ms)],
        headers={"Authorization": f"Bearer {stack.cloud.secrets.redis_token}"},
    )
    return decode_frame(answer.raise_for_status().json()["result"])


def measure() -> list[Figure]:
    """Return the latency from close to screen with its stages, and what one tick takes."""
    speed = 60 / MINUTE_S
    start_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - 120 * MINUTE_MS
    environment = {
        "VENUE_SPEED": str(speed),
        "VENUE_TIME_SPEED": str(speed),
        "VENUE_START_MS": str(start_ms),
        "VENUE_CLOSE_JITTER_MS": "5-40",
        # Compressed time spends a month in four days.
        "COMMANDS_PER_MONTH_MAX": "10000000",
        "CLOSE_GRACE_S": "20",
    }
    with Stack(with_samples=False, environment=environment) as stack:
        make_account(stack)
        stack.wait_for(
            lambda: "history_complete" in stack.log("collector"), "the history", timeout_s=180
        )
        clock = VenueTime(stack.cloud.local_url(stack.cloud.ports.venue), speed)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            page = open_dashboard(browser, stack.url)
            commands, began_ms = commands_sent(stack), clock.venue_ms()
            closes = watch_closes(stack, page, clock)
            minutes = (clock.venue_ms() - began_ms) / MINUTE_MS
            commands_per_month = (commands_sent(stack) - commands) / minutes * MINUTES_PER_MONTH
            browser.close()
    return [*_figures(closes), _commands_figure(commands_per_month, minutes)]


def _commands_figure(commands_per_month: float, minutes: float) -> Figure:
    return Figure(
        name="redis_commands_per_month",
        value=commands_per_month,
        unit="commands",
        promise="< 500,000 (books every 10 s will add 259,200)",
        kept=commands_per_month + 259_200 < 500_000,
        conditions=f"counted by the REST door over {minutes:.0f} minutes of the market, "
        "500 symbols × 5 intervals with traders on each, times 43,200",
    )


def _figures(closes: list[dict[str, float]]) -> list[Figure]:
    signals = statistics.median(close["signals"] for close in closes)
    conditions = (
        f"{len(closes)} closes, {TRADERS} traders × 500 symbols on 1m, a median of {signals:.0f} "
        f"signals a close, last of the newest 50 rows painted, everything on {machine()}"
    )
    totals = [close["total"] for close in closes]
    figures = [
        Figure(
            name="close_to_screen_p50",
            value=percentile(totals, 0.5),
            unit="ms",
            conditions=conditions,
        ),
        Figure(
            name="close_to_screen_p95",
            value=percentile(totals, 0.95),
            unit="ms",
            promise="< 400 ms (first step; the design's goal is 150 ms)",
            kept=percentile(totals, 0.95) < 400,
            conditions=conditions,
        ),
        Figure(
            name="close_to_screen_p99",
            value=percentile(totals, 0.99),
            unit="ms",
            conditions=conditions,
        ),
    ]
    measured = {name for close in closes for name in close if name.startswith("function_")}
    stages = (*STAGES, *sorted(measured))
    for stage in stages:
        values = [close[stage] for close in closes if stage in close]
        what = "by the function itself" if stage.startswith("function_") else "a stage of it"
        figures.append(
            Figure(
                name=f"close_to_screen_{stage}_p50",
                value=percentile(values, 0.5),
                unit="ms",
                conditions=f"{what}; p95 {percentile(values, 0.95):.0f} ms",
            )
        )
    return figures
