"""History from Redis, as the collector keeps it. Imported only by commands that read it.

The edge to settings, clock and store. Which Redis: the environment, else `.env`, else the one of a
running `make run` (cli/settings).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog

from cli.history import History, Tell, Wanted
from cli.settings import read_settings
from shared.errors import ConfigError, StaleData, StoreUnavailable
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Rule
from shared.settings import RedisSettings
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from shared.store.windows import WindowCache

# The collector keeps 502 to 1,000 bars an interval.
BARS_MAX = 1_000
# A newest close that is older than two intervals is not "right now".
STALE_INTERVALS = 2


def load_redis_history(rule: Rule, wanted: Wanted, tell: Tell) -> History:
    """Return the windows of all bars that are kept, up to the last close that is wanted.

    Raises: ConfigError without a Redis, StoreUnavailable, StaleData if nothing is kept.
    """
    settings = _load_settings()
    try:
        with _logs_on_stderr():
            return asyncio.run(_load(settings, rule, wanted, tell))
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{error.message}, at {settings.upstash_redis_rest_url}",
            hint="`make run` starts a local one; UPSTASH_REDIS_REST_URL and _TOKEN choose another;"
            " --files FOLDER needs none",
        ) from error


@contextmanager
def _logs_on_stderr() -> Iterator[None]:
    """Write log lines to standard error meanwhile; standard output is for results."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


def _load_settings() -> RedisSettings:
    hint = (
        "start the local cloud with `make run`, or set UPSTASH_REDIS_REST_URL and"
        " UPSTASH_REDIS_REST_TOKEN in .env, or give --files FOLDER"
    )
    try:
        settings = read_settings(RedisSettings)
    except ConfigError as error:
        raise ConfigError("expected a Redis to read history from, was none", hint=hint) from error
    if not settings.upstash_redis_rest_url:
        raise ConfigError("expected a Redis to read history from, was empty", hint=hint)
    return settings


async def _load(settings: RedisSettings, rule: Rule, wanted: Wanted, tell: Tell) -> History:
    token = settings.upstash_redis_rest_token.get_secret_value()
    redis = connect_redis(settings.upstash_redis_rest_url, token)
    store = FrameStore(redis, CommandMeter(time.monotonic()))
    windows = WindowCache(store)
    notes: list[str] = []
    longer: dict[Interval, Window] = {}
    total = 1 + len(rule.intervals)
    try:
        tell(0, total, "history")
        window = await _load_kept(store, windows, wanted, wanted.interval)
        if window is None:
            raise StaleData(
                f"expected {wanted.interval} klines of {wanted.venue}, there are none",
                hint="the collector keeps the intervals of INTERVALS; or give --files FOLDER",
            )
        for done, interval in enumerate(rule.intervals, 1):
            tell(done, total, "history")
            found = await _load_kept(store, windows, wanted, interval)
            if found is None:
                notes.append(
                    f"no {interval} klines are kept: what the rule reads of them is unknown"
                    f" (add {interval} to INTERVALS of the collector)"
                )
            else:
                longer[interval] = found
        tell(total, total, "history")
    finally:
        await store.close()
    if store.unreadable_count:
        notes.append(f"{store.unreadable_count} frames could not be read and count as missing")
    if wanted.last_closed_at_ms is None:
        notes += _age_notes(window, time.time() * 1000)
    host = urlsplit(settings.upstash_redis_rest_url).netloc
    return History(window=window, longer=longer, source=f"Redis at {host}", notes=tuple(notes))


async def _load_kept(
    store: FrameStore, windows: WindowCache, wanted: Wanted, interval: Interval
) -> Window | None:
    """Return the window of the bars that are kept up to the last wanted; None if there are none."""
    step_ms = interval.duration_ms
    open_times_ms = await store.load_open_times(wanted.venue, interval)
    if wanted.last_closed_at_ms is not None:
        open_times_ms = [t for t in open_times_ms if t + step_ms <= wanted.last_closed_at_ms]
    if not open_times_ms:
        return None
    last_ms = open_times_ms[-1]
    bars = min((last_ms - open_times_ms[0]) // step_ms + 1, BARS_MAX)
    return await windows.load_window(wanted.venue, interval, last_ms, bars)


def _age_notes(window: Window, now_ms: float) -> list[str]:
    age_ms = now_ms - window.closed_at_ms
    if age_ms <= STALE_INTERVALS * window.interval.duration_ms:
        return []
    minutes = int(age_ms // 60_000)
    age = f"{minutes} minutes" if minutes < 180 else f"{minutes // 60} hours"
    return [f"the newest close is {age} old: is the collector running?"]
