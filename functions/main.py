"""The functions-framework target: `functions-framework --target main --source functions/main.py
--asgi`, started in the folder that holds `functions/` and `shared/`.

One process serves all functions; router.py finds them by path. What takes long to import or to
connect is done beside the first requests, in a thread: a health check is answered meanwhile, every
other request waits for it.
"""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import structlog
from starlette.requests import Request
from starlette.responses import Response

from functions import VERSION
from functions.health.handler import health
from shared.crash_reports import start_crash_reports
from shared.errors import ClosebellError, ConfigError
from shared.hidden import remember_secrets
from shared.logs import configure_logs
from shared.memory import keep_freed_memory
from shared.settings import FunctionsSettings, load_settings

if TYPE_CHECKING:
    from functions.wiring import Application

log = structlog.get_logger()


class Starter:
    """Wires the application once; `application` may be awaited by many requests."""

    def __init__(self, settings: FunctionsSettings) -> None:
        self._settings = settings
        self._starting: asyncio.Task[Application] | None = None
        self._warming: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[Application]:
        """Return the task that wires, starting it at the first call."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._wire(), name="wire")
        return self._starting

    async def _wire(self) -> Application:
        wiring = await asyncio.to_thread(_import_wiring)
        application: Application = wiring.Application(self._settings)
        self._warming = asyncio.create_task(self._warm_up(application), name="warm-up")
        return application

    async def _warm_up(self, application: Application) -> None:
        try:
            await application.warm_up()
        except ClosebellError as error:
            log.warning("warm_up_failed", code=error.code, reason=str(error))


def _import_wiring() -> ModuleType:
    from functions import wiring

    return wiring


def _load() -> FunctionsSettings:
    configure_logs("functions")
    keep_freed_memory()
    try:
        settings = load_settings(FunctionsSettings)
        remember_secrets(settings)
        start_crash_reports(settings, "functions", VERSION)
        return settings
    except ConfigError as error:
        # The host shows this line; a traceback would hide the name of the variable.
        sys.exit(f"functions: {error}")


starter = Starter(_load())


async def main(request: Request) -> Response:
    """Answer one request."""
    starting = starter.start()
    if not starting.done() and request.method == "GET" and request.url.path.endswith("/health"):
        return await health(request)
    application = await asyncio.shield(starting)
    return await application.router(request)
