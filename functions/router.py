"""From path to handler, and from whatever a handler raises to a reply without a traceback.

The only place that logs a refused or failed request. Browsers call one function (save_trader)
from one origin; the CORS headers are for that.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.edge import reply_error, reply_json, status_of
from functions.function_log import FunctionLog
from functions.usage import FunctionUsage
from shared.errors import ClosebellError, NotFound

# The hosted gateway keeps this prefix, the local one and a bare function have none.
GATEWAY_PREFIX = "/functions/v1"
PREFLIGHT_SECONDS = 600

Handler = Callable[[Request], Awaitable[Response]]


def function_name(path: str) -> str:
    """Return the function that a path names: `/functions/v1/health` and `/health` → `health`."""
    return path.removeprefix(GATEWAY_PREFIX).strip("/")


class Router:
    """Calls the handler of a path; `routes` maps (method, function name) to handlers."""

    def __init__(
        self,
        routes: Mapping[tuple[str, str], Handler],
        *,
        log: FunctionLog,
        usage: FunctionUsage | None = None,
        dashboard_origin: str = "",
    ) -> None:
        self._routes = routes
        self._log = log
        self._usage = usage
        self._dashboard_origin = dashboard_origin.rstrip("/")

    async def __call__(self, request: Request) -> Response:
        """Return the reply; never raises. Every request is counted but those for /health."""
        name = function_name(request.url.path)
        if self._usage is None or name == "health":
            return await self._answer(request, name)
        with self._usage.request():
            response = await self._answer(request, name)
        if isinstance(response, StreamingResponse):
            response.body_iterator = self._usage.stream(response.body_iterator)
        return response

    async def _answer(self, request: Request, name: str) -> Response:
        # The path is the caller's; only what is ours may be repeated to a log.
        structlog.contextvars.bind_contextvars(function=name if self._methods(name) else "unknown")
        try:
            response = await self._dispatch(request, name)
        except ClosebellError as error:
            response = self._refuse(error)
        except Exception as error:
            response = self._crash(error)
        finally:
            structlog.contextvars.unbind_contextvars("function")
        return self._allow_origin(request, response)

    def knows(self, name: str) -> bool:
        """Return whether there is a function of this name."""
        return bool(self._methods(name))

    def _methods(self, name: str) -> list[str]:
        return [method for method, known in self._routes if known == name]

    async def _dispatch(self, request: Request, name: str) -> Response:
        methods = self._methods(name)
        if not methods:
            raise NotFound("expected the path of a function, was another")
        if request.method == "OPTIONS":
            return Response(status_code=204)
        handler = self._routes.get((request.method, name))
        if handler is None:
            allowed = ", ".join([*methods, "OPTIONS"])
            message = f"expected {allowed}, was {request.method[:16]}"
            content = {"code": "MethodNotAllowed", "message": message, "hint": ""}
            response = reply_json({"error": content}, 405)
            response.headers["allow"] = allowed
            return response
        return await handler(request)

    def _refuse(self, error: ClosebellError) -> Response:
        # Own faults are kept for the operator; a wrong request is a line on stdout only, so that
        # a caller cannot fill a table.
        status = status_of(error)
        level = "error" if status >= 500 else "warning"
        said = {"status": status, "code": error.code, "message": error.message}
        self._log.line(level, "request_refused", keep=status >= 500, **(error.context | said))
        return reply_error(error)

    def _crash(self, error: Exception) -> Response:
        error_id = secrets.token_hex(8)
        self._log.line("error", "request_crashed", error_id=error_id, exc_info=error)
        content = {
            "code": "InternalError",
            "message": "an unexpected error",
            "hint": f"it is in the log as {error_id}",
        }
        return reply_json({"error": content}, 500)

    def _allow_origin(self, request: Request, response: Response) -> Response:
        origin = request.headers.get("origin", "")
        if origin and origin == self._dashboard_origin:
            response.headers["access-control-allow-origin"] = origin
            response.headers["access-control-allow-methods"] = "POST, OPTIONS"
            response.headers["access-control-allow-headers"] = (
                "authorization, content-type, apikey, x-client-info"
            )
            response.headers["access-control-max-age"] = str(PREFLIGHT_SECONDS)
        response.headers["vary"] = "origin"
        return response
