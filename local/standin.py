"""What every stand-in needs to be a process: settings from the environment, a log, a clean end.

No stand-in logic. Used by upstash_door, request_worker, realtime and gateway, each started by the
supervisor as `python -m local.<name>` and ended by SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress

import structlog
import uvloop
from aiohttp import web

from shared.errors import ConfigError
from shared.logs import configure_logs

# Time a stopping server gives to answers under way. The supervisor kills after 5 s.
STOP_TIMEOUT_S = 2.0


def read_setting(name: str, default: str | None = None) -> str:
    """Return the environment variable `name`.

    Raises: ConfigError naming it if it is unset or empty and has no default.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise ConfigError(f"expected {name} in the environment, found nothing")
    return value


def keep_running(
    app: web.Application, name: str, work: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Run `work` beside the app; should it end, so does the process, to be started anew."""

    def notice_end(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            structlog.get_logger().error("task_ended", task=name, error=repr(task.exception()))
            signal.raise_signal(signal.SIGTERM)

    async def run(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(work(), name=name)
        task.add_done_callback(notice_end)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task

    app.cleanup_ctx.append(run)


def run_standin(source: str, build_app: Callable[[], web.Application]) -> None:
    """Serve the app on 127.0.0.1:LISTEN_PORT until SIGTERM or SIGINT; exit 2 on bad settings."""
    configure_logs(source)
    try:
        app = build_app()
        port = int(read_setting("LISTEN_PORT"))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        access_log=None,
        print=None,
        shutdown_timeout=STOP_TIMEOUT_S,
        # Longer than any client of ours keeps an idle connection, so the client closes first.
        keepalive_timeout=150.0,
        loop=uvloop.new_event_loop(),
    )
