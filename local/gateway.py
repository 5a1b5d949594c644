"""The one URL of the local cloud: what a Supabase project's URL answers, and the dashboard.

/rest/v1 and /auth/v1 go to the REST and auth server (and nothing else of it: its own pages show
the database's address), /realtime/v1 to the Realtime stand-in, /functions/v1/<name> to the
functions as /<name>; /config.json is the dashboard's configuration, the rest its files.
Listens on 127.0.0.1 and answers only requests that name a loopback host, so that no page of
another site reaches it by a name of its own; scripts of other loopback origins may call it.

Environment: LISTEN_PORT, LITE_URL, REALTIME_URL, FUNCTIONS_URL_INTERNAL (http://127.0.0.1:port),
DASHBOARD_DIST (folder), CONFIG_JSON (the text of /config.json), GATEWAY_HOSTS (optional: further
host names, separated by commas, for a forwarded port).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from local.dashboard_files import DashboardFiles
from local.proxy import (
    BODY_BYTES_MAX,
    forward,
    forward_socket,
    open_session,
    refuse,
    target_url,
)
from local.standin import read_setting, run_standin
from shared.errors import ConfigError, InvalidRequest

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PREFLIGHT_SECONDS = "600"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
# What scripts may read of an answer: PostgREST's counts, and our own.
EXPOSED_HEADERS = "content-range, content-location, content-type, x-total-count, retry-after"


def host_of(url_or_host: str) -> str:
    """Return the host name of `http://name:port` or `name:port`; empty if there is none."""
    text = url_or_host if "://" in url_or_host else f"http://{url_or_host}"
    try:
        return URL(text).host or ""
    except ValueError:
        return ""


def cors_headers(request: web.Request, hosts: frozenset[str]) -> dict[str, str]:
    """Return the headers that let a script of the request's origin read the answer.

    None for a request without Origin, or from an origin that is not ours.
    """
    origin = request.headers.get("Origin", "")
    if not origin or host_of(origin) not in hosts:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        "Vary": "Origin",
    }


def guard_hosts(hosts: frozenset[str]) -> Middleware:
    """Return the middleware that refuses foreign hosts and answers for origins."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host_of(request.host) not in hosts:
            return refuse(403, "HostRefused", "expected a loopback host name in the request")
        allowed = cors_headers(request, hosts)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            wanted = request.headers.get("Access-Control-Request-Headers", "")
            preflight = {
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": wanted,
                "Access-Control-Max-Age": PREFLIGHT_SECONDS,
            }
            return web.Response(status=204, headers={**allowed, **preflight} if allowed else {})
        request["cors_headers"] = allowed
        response = await handler(request)
        if not response.prepared:
            response.headers.update(allowed)
        return response

    return guard


class Gateway:
    """The handlers, by path prefix."""

    def __init__(
        self,
        *,
        lite_url: URL,
        realtime_url: URL,
        functions_url: URL,
        files: DashboardFiles,
        config_json: str,
        hosts: frozenset[str],
    ) -> None:
        self._lite_url = lite_url
        self._realtime_url = realtime_url
        self._functions_url = functions_url
        self._files = files
        self._config_json = config_json
        self._hosts = hosts
        self._session: aiohttp.ClientSession | None = None

    async def keep_session(self, app: web.Application) -> AsyncIterator[None]:
        """Hold the pool of connections open while the app runs, then end the sockets."""
        async with open_session() as session:
            self._session = session
            yield

    async def close_sockets(self, app: web.Application) -> None:
        """Close proxied sockets, or the server would wait for them."""
        for socket in list(app["sockets"]):
            await socket.close(code=aiohttp.WSCloseCode.SERVICE_RESTART)

    async def serve_lite(self, request: web.Request) -> web.StreamResponse:
        """/rest/v1 and /auth/v1."""
        return await self._forward(request, self._lite_url, "", "the REST and auth server")

    async def serve_functions(self, request: web.Request) -> web.StreamResponse:
        """/functions/v1/<name>."""
        return await self._forward(request, self._functions_url, "/functions/v1", "the functions")

    async def serve_realtime(self, request: web.Request) -> web.StreamResponse:
        """/realtime/v1/websocket."""
        origin = request.headers.get("Origin")
        # A browser lets any page open a socket: here the origin is refused, not left to it.
        if origin and host_of(origin) not in self._hosts:
            return refuse(403, "OriginRefused", "expected a loopback origin")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self._forward(request, self._realtime_url, "", "Realtime")
        assert self._session is not None
        try:
            url = target_url(self._realtime_url, request, "")
        except InvalidRequest as error:
            return refuse(400, error.code, error.message)
        return await forward_socket(self._session, request, url, "Realtime")

    async def serve_config(self, _request: web.Request) -> web.Response:
        """/config.json: where the dashboard finds everything."""
        return web.Response(
            text=self._config_json,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def serve_files(self, request: web.Request) -> web.StreamResponse:
        """The dashboard."""
        return await self._files.serve(request)

    async def _forward(
        self, request: web.Request, base: URL, strip: str, service: str
    ) -> web.StreamResponse:
        assert self._session is not None
        try:
            url = target_url(base, request, strip)
        except InvalidRequest as error:
            return refuse(400, error.code, error.message)
        return await forward(self._session, request, url, service)


def read_config_json(text: str) -> str:
    """Return the text if it is a JSON object.

    Raises: ConfigError.
    """
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise ConfigError("expected a JSON object in CONFIG_JSON")
    return text


def read_hosts(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the host names that requests may name."""
    further = environment.get("GATEWAY_HOSTS", "").split(",")
    return LOOPBACK_HOSTS | {name.strip() for name in further if name.strip()}


def build_app() -> web.Application:
    """Wire the gateway from the environment.

    Raises: ConfigError.
    """
    hosts = read_hosts({"GATEWAY_HOSTS": read_setting("GATEWAY_HOSTS", "")})
    gateway = Gateway(
        lite_url=URL(read_setting("LITE_URL")),
        realtime_url=URL(read_setting("REALTIME_URL")),
        functions_url=URL(read_setting("FUNCTIONS_URL_INTERNAL")),
        files=DashboardFiles(Path(read_setting("DASHBOARD_DIST"))),
        config_json=read_config_json(read_setting("CONFIG_JSON")),
        hosts=hosts,
    )
    app = web.Application(middlewares=[guard_hosts(hosts)], client_max_size=BODY_BYTES_MAX)
    app["sockets"] = set()
    for prefix, handler in (
        ("/rest/v1", gateway.serve_lite),
        ("/auth/v1", gateway.serve_lite),
        ("/functions/v1", gateway.serve_functions),
        ("/realtime/v1", gateway.serve_realtime),
    ):
        app.router.add_route("*", prefix + "/{path:.*}", handler)
    app.router.add_get("/config.json", gateway.serve_config)
    app.router.add_route("*", "/{path:.*}", gateway.serve_files)
    app.cleanup_ctx.append(gateway.keep_session)
    app.on_shutdown.append(gateway.close_sockets)
    return app


if __name__ == "__main__":
    run_standin("gateway", build_app)
