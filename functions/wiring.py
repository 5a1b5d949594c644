"""Builds the functions by hand, once a process. Imports everything; see main.py for when.

The only reader of the functions' settings and clocks.
"""

from __future__ import annotations

import os
import socket
from time import monotonic, time_ns

import httpx

from functions.dispatch import Dispatcher
from functions.execute_traders.handler import ExecuteTraders
from functions.finished_runs import FinishedRuns
from functions.function_log import FunctionLog
from functions.health.handler import health
from functions.rate_limit import RateLimiter
from functions.router import Router
from functions.save_trader.handler import SaveTrader
from functions.tokens import TokenVerifier
from functions.trigger_executions.handler import TriggerExecutions
from shared.settings import FunctionsSettings
from shared.store.database import Database
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from shared.store.windows import WindowCache

# Every edit in the dashboard's form may ask for a preview.
SAVES_PER_MINUTE = 60
SAVES_AT_ONCE = 20
CONNECTIONS_MAX = 20


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds."""
    return time_ns() // 1_000_000


class Application:
    """The wired functions: `router` answers requests, `warm_up` pays first costs early."""

    def __init__(self, settings: FunctionsSettings) -> None:
        secret = settings.function_secret.get_secret_value()
        redis = connect_redis(
            settings.upstash_redis_rest_url, settings.upstash_redis_rest_token.get_secret_value()
        )
        self.database = Database(
            settings.supabase_url, settings.supabase_secret_key.get_secret_value()
        )
        self.log = FunctionLog(self.database.write_logs, now_ms)
        self.http = httpx.AsyncClient(limits=httpx.Limits(max_connections=CONNECTIONS_MAX))
        windows = WindowCache(FrameStore(redis, CommandMeter(monotonic())))
        finished = FinishedRuns()
        dispatcher = Dispatcher(self.http, settings.functions_url, secret, self.log, now_ms)
        execute_traders = ExecuteTraders(
            runs=self.database,
            windows=windows,
            finished=finished,
            log=self.log,
            secret=secret,
            claimed_by=f"{socket.gethostname()}:{os.getpid()}",
            now_ms=now_ms,
            timeout_s=settings.request_timeout_s,
        )
        trigger_executions = TriggerExecutions(
            runs=self.database,
            windows=windows,
            execute=dispatcher,
            finished=finished,
            log=self.log,
            secret=secret,
            now_ms=now_ms,
            frame_wait_s=settings.frame_wait_s,
            timeout_s=settings.request_timeout_s,
        )
        save_trader = SaveTrader(
            traders=self.database,
            windows=windows,
            execute=dispatcher,
            tokens=TokenVerifier(
                settings.supabase_jwt_secret.get_secret_value(),
                settings.supabase_url,
                self.http,
                monotonic,
            ),
            limiter=RateLimiter(SAVES_PER_MINUTE, SAVES_AT_ONCE),
            log=self.log,
            now_ms=now_ms,
            monotonic_s=monotonic,
        )
        self.router = Router(
            {
                ("GET", "health"): health,
                ("POST", "trigger_executions"): trigger_executions,
                ("POST", "execute_traders"): execute_traders,
                ("POST", "save_trader"): save_trader,
            },
            log=self.log,
            dashboard_origin=settings.dashboard_origin,
        )

    async def warm_up(self) -> None:
        """Connect to Postgres and send the first call, which costs many times a later one."""
        await self.database.write_logs([])
