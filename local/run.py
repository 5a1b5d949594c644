"""`make run`: start the local cloud, print its URL, keep it alive until Ctrl-C.

The wiring: reads the arguments, the settings and the clock, and builds everything by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local.cloud import PROJECT, Cloud
from local.feeds import FeedChoice, choose_feed
from local.parts import Part
from local.ports import PORT_DEFAULT, check_free, parse_base
from local.processes import mark_of
from local.screen import Screen
from local.secrets import load_or_create_secrets, write_private
from local.services import build_parts, probe_client, service_ports, venue_addresses
from local.settings import LocalSettings
from local.state import RunInfo, StateDir
from local.supervisor import Supervisor
from shared.errors import ClosebellError, ConfigError
from shared.market.frame import Feed
from shared.settings import load_settings

STATE_DIR = PROJECT / ".local"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog="make run", description="Start Closebell here.")
    parser.add_argument("--feed", default="", help="live, simulated or replay:<folder>")
    parser.add_argument("--port", default=str(PORT_DEFAULT), help="first of ten loopback ports")
    parser.add_argument("--state", type=Path, default=STATE_DIR, help="folder of the data")
    options = parser.parse_args(arguments)
    began_s = time.monotonic()
    state = StateDir(options.state.resolve())
    try:
        state.create()
        if not state.try_lock():
            return _tell_running(state, options.feed)
        with Screen() as screen:
            stale = state.end_stale_processes()
            if stale:
                screen.say(f"ended what an earlier start left behind: {', '.join(stale)}")
            asyncio.run(_run(state, options.feed, options.port, screen, began_s))
    except ClosebellError as error:
        print(f"closebell: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # Before the event loop took over the signal.
        return 130
    finally:
        state.unlock()
    return 0


async def _run(state: StateDir, feed: str, port: str, screen: Screen, began_s: float) -> None:
    settings = load_settings(LocalSettings).check()
    ports = parse_base(port)
    choice: FeedChoice = await choose_feed(feed, settings.binance_rest_url)
    screen.say(f"data: {str(choice.feed).upper()} ({choice.reason})")
    cloud = Cloud(
        state=state,
        ports=ports,
        secrets=load_or_create_secrets(state.secrets_file),
        settings=settings,
        feed=choice,
        with_samples=settings.is_on_this_machine,
    )
    async with probe_client() as client:
        await _supervise(build_parts(cloud, client), cloud, screen, began_s)
    screen.say("stopped; the data are kept, `make run` continues")


async def _supervise(parts: list[Part], cloud: Cloud, screen: Screen, began_s: float) -> None:
    check_free(service_ports(cloud, parts), cloud.ports)
    own = mark_of(os.getpid())
    assert own is not None
    cloud.state.write_run(
        RunInfo(pid=own.pid, start_ticks=own.start_ticks, url=cloud.url, feed=cloud.feed.argument)
    )
    tell_operator(cloud)
    supervisor = Supervisor(parts, cloud.state, screen)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.request_stop)
    try:
        await supervisor.run(lambda: screen.summary(cloud, time.monotonic() - began_s))
    finally:
        cloud.state.run_file.unlink(missing_ok=True)
        cloud.state.operator_file.unlink(missing_ok=True)


def tell_operator(cloud: Cloud) -> None:
    """Write the settings with which `closebell` reaches the parts of this cloud.

    Its own file because the command line knows neither our ports nor the form of our secrets. What
    is set in .env (a real project, a real Redis) is named here, too: the file is complete.
    """
    settings = cloud.settings
    redis_token = settings.upstash_redis_rest_token.get_secret_value()
    values = {
        "DATABASE_URL": cloud.database_dsn,
        "SUPABASE_URL": cloud.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": cloud.publishable_key,
        "SUPABASE_SECRET_KEY": cloud.secret_key,
        "UPSTASH_REDIS_REST_URL": settings.upstash_redis_rest_url
        or cloud.local_url(cloud.ports.upstash),
        "UPSTASH_REDIS_REST_TOKEN": redis_token or cloud.secrets.redis_token,
        "FUNCTIONS_URL": cloud.functions_url,
        "FUNCTION_SECRET": cloud.function_secret,
        "COLLECTOR_URL": cloud.local_url(cloud.ports.collector),
        "DASHBOARD_URL": cloud.url,
    }
    if cloud.feed.feed is not Feed.LIVE:
        values |= venue_addresses(cloud)
    lines = (f"{name}={value}" for name, value in values.items() if value)
    write_private(cloud.state.operator_file, "\n".join((*lines, "")).encode())


def _tell_running(state: StateDir, feed: str) -> int:
    """Say where the running one is. Raises: ConfigError if other data are wanted."""
    info = state.read_run()
    if info is None:
        raise ConfigError(
            "expected to be the only start here, another one is just beginning or ending",
            hint="wait a moment, then: make run",
        )
    if feed and feed != info.feed:
        raise ConfigError(
            f"expected FEED={feed}, but it is running with FEED={info.feed} at {info.url}",
            hint=f"make stop, then: make run FEED={feed}",
        )
    print(f"Closebell is already running: {info.url} (process {info.pid}; make stop ends it)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
