"""Builds the functions by hand, once a process. Imports everything; see main.py for when.

The only reader of the functions' settings and clocks.
"""

from __future__ import annotations

import os
import secrets
import socket
from time import monotonic, time_ns

import httpx

from functions.backtest_rule.handler import BacktestRule
from functions.dispatch import Dispatcher
from functions.execute_traders.handler import ExecuteTraders
from functions.explain_rule.handler import ExplainRule
from functions.finished_runs import FinishedRuns
from functions.function_log import FunctionLog
from functions.health.handler import health
from functions.measures import Measures
from functions.metrics.handler import Metrics
from functions.preview_rule.handler import PreviewRule
from functions.rate_limit import RateLimiter
from functions.router import Router
from functions.rule_requests import RuleReader
from functions.save_trader.handler import SaveTrader
from functions.tokens import TokenVerifier
from functions.trigger_executions.handler import TriggerExecutions
from functions.usage import FunctionUsage
from functions.write_logs.handler import WriteLogs
from shared.rules import RuleLimits
from shared.settings import FunctionsSettings
from shared.store.database import Database
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from shared.store.windows import WindowCache

# Every edit in the dashboard's form may ask for a preview.
SAVES_PER_MINUTE = 60
SAVES_AT_ONCE = 20
# A backtest takes seconds of a core.
QUESTIONS_PER_MINUTE = 20
QUESTIONS_AT_ONCE = 10
CONNECTIONS_MAX = 20


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds."""
    return time_ns() // 1_000_000


class Application:
    """The wired functions: `router` answers requests, `warm_up` pays first costs early."""

    def __init__(self, settings: FunctionsSettings) -> None:
        secret = settings.function_secret.get_secret_value()
        meter = CommandMeter(monotonic())
        self.measures = Measures()
        redis = connect_redis(
            settings.upstash_redis_rest_url,
            settings.upstash_redis_rest_token.get_secret_value(),
            meter.traffic,
        )
        self.database = Database(
            settings.supabase_url, settings.supabase_secret_key.get_secret_value()
        )
        self.log = FunctionLog(self.database.write_logs, now_ms)
        self.http = httpx.AsyncClient(limits=httpx.Limits(max_connections=CONNECTIONS_MAX))
        self.usage = FunctionUsage(
            self.database.add_usage,
            monotonic,
            reporter=f"functions-{secrets.token_hex(8)}",
            redis=meter,
            database=self.database.traffic,
            every_s=settings.usage_report_s,
        )
        windows = WindowCache(FrameStore(redis, meter))
        limits = rule_limits(settings)
        tokens = TokenVerifier(
            settings.supabase_jwt_secret.get_secret_value(),
            settings.supabase_url,
            self.http,
            monotonic,
        )
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
            limits=limits,
            measures=self.measures,
        )
        trigger_executions = TriggerExecutions(
            runs=self.database,
            windows=windows,
            execute=dispatcher,
            relay_usage=self.usage.relay,
            finished=finished,
            log=self.log,
            secret=secret,
            now_ms=now_ms,
            frame_wait_s=settings.frame_wait_s,
            timeout_s=settings.request_timeout_s,
            measures=self.measures,
        )
        saves = RateLimiter(SAVES_PER_MINUTE, SAVES_AT_ONCE)
        questions = RateLimiter(QUESTIONS_PER_MINUTE, QUESTIONS_AT_ONCE)
        save_trader = SaveTrader(
            traders=self.database,
            windows=windows,
            execute=dispatcher,
            tokens=tokens,
            limiter=saves,
            log=self.log,
            now_ms=now_ms,
            monotonic_s=monotonic,
            limits=limits,
        )
        reader = RuleReader(
            windows=windows,
            tokens=tokens,
            limiter=questions,
            log=self.log,
            now_ms=now_ms,
            monotonic_s=monotonic,
            limits=limits,
        )
        self.measures.watch(
            redis_commands=lambda: meter.commands,
            redis_bytes=lambda: {
                "sent": meter.traffic.bytes_sent,
                "received": meter.traffic.bytes_received,
            },
            window_loads=lambda: windows.loads,
            rate_limited=lambda: {
                "saves": saves.refused_count,
                "questions": questions.refused_count,
            },
            log_lines_dropped=lambda: {"functions": self.log.dropped_count},
            waiting=lambda: {
                "log_lines": self.log.waiting_count,
                "dispatches": dispatcher.waiting_count,
            },
        )
        metrics_token = settings.metrics_token.get_secret_value()
        router = Router(
            {
                ("GET", "health"): health,
                ("GET", "metrics"): Metrics(self.measures.registry, metrics_token),
                ("POST", "trigger_executions"): trigger_executions,
                ("POST", "execute_traders"): execute_traders,
                ("POST", "save_trader"): save_trader,
                ("POST", "preview_rule"): PreviewRule(reader),
                ("POST", "explain_rule"): ExplainRule(reader),
                ("POST", "backtest_rule"): BacktestRule(reader, self.log),
                ("POST", "write_logs"): WriteLogs(
                    self.database.write_logs, secret=secret, now_ms=now_ms
                ),
            },
            log=self.log,
            usage=self.usage,
            dashboard_origin=settings.dashboard_origin,
        )
        self.router = self.measures.router(router)

    async def warm_up(self) -> None:
        """Connect to Postgres and send the first call, which costs many times a later one."""
        await self.database.write_logs([])


def rule_limits(settings: FunctionsSettings) -> RuleLimits:
    """Return what one rule may ask for: the same where it is saved and where it runs."""
    return RuleLimits(
        text_characters_max=settings.rule_text_characters_max,
        depth_max=settings.rule_depth_max,
        nodes_max=settings.rule_nodes_max,
        window_bars_max=settings.rule_window_bars_max,
        instruments_max=settings.rule_instruments_max,
        intervals_max=settings.rule_intervals_max,
    )
