"""Wire the Realtime server and serve it.

Environment: LISTEN_PORT, POSTGRES_DSN (a superuser's: it reads all messages and becomes the
user for a probe), SUPABASE_JWT_SECRET, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY.
Sockets: /realtime/v1/websocket?apikey=…&vsn=1.0.0|2.0.0. GET /health: 200 while it streams.
"""

from __future__ import annotations

import time

import structlog
from aiohttp import web

from local.realtime.authorization import Authorizer
from local.realtime.client import Client
from local.realtime.hub import Hub
from local.realtime.messages import MessageSource
from local.realtime.tokens import Keys
from local.realtime.wire import parse_version
from local.standin import keep_running, read_setting, run_standin
from shared.errors import InvalidRequest, Unauthorized

# The hosted limit of the Pro plan.
CLIENTS_MAX = 500
MESSAGE_BYTES_MAX = 256 * 1024

log = structlog.get_logger()


class Server:
    """The HTTP side: sockets and health."""

    def __init__(self, dsn: str, keys: Keys) -> None:
        self._keys = keys
        self._hub = Hub()
        self._authorizer = Authorizer(dsn)
        self.source = MessageSource(dsn, self._hub.deliver)
        self._sockets: set[web.WebSocketResponse] = set()

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Accept a socket whose API key is known and speak its version."""
        api_key = request.headers.get("x-api-key") or request.query.get("apikey", "")
        try:
            version = parse_version(request.query.get("vsn"))
            self._keys.verify(api_key, time.time())
        except Unauthorized as error:
            return web.json_response({"error": error.message.partition(": ")[2]}, status=401)
        except InvalidRequest as error:
            return web.json_response({"error": error.message}, status=400)
        if len(self._sockets) >= CLIENTS_MAX:
            return web.json_response({"error": "Too many connected users"}, status=429)
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await Client(
                socket,
                version,
                api_key=api_key,
                keys=self._keys,
                authorizer=self._authorizer,
                hub=self._hub,
            ).run()
        finally:
            self._sockets.discard(socket)
        return socket

    async def serve_health(self, _request: web.Request) -> web.Response:
        """GET /health: 200 while messages are streamed from Postgres."""
        is_ok = self.source.is_listening
        return web.json_response(
            {
                "status": "ok" if is_ok else "unavailable",
                "clients_count": len(self._sockets),
                "delivered_count": self._hub.delivered_count,
            },
            status=200 if is_ok else 503,
        )

    async def refuse_path(self, _request: web.Request) -> web.Response:
        """Answer anything else, such as broadcasts over HTTP."""
        error = "the local Realtime serves /realtime/v1/websocket and /health only"
        return web.json_response({"error": error}, status=404)

    async def close_sockets(self, _app: web.Application) -> None:
        """Tell clients that the server goes; they come back by themselves."""
        for socket in list(self._sockets):
            await socket.close(code=1012, message=b"restarting")
        await self._authorizer.close()


def build_app() -> web.Application:
    """Wire the server from the environment.

    Raises: ConfigError.
    """
    keys = Keys(
        jwt_secret=read_setting("SUPABASE_JWT_SECRET"),
        publishable_key=read_setting("SUPABASE_PUBLISHABLE_KEY"),
        secret_key=read_setting("SUPABASE_SECRET_KEY"),
    )
    server = Server(read_setting("POSTGRES_DSN"), keys)
    app = web.Application()
    app.add_routes(
        [
            web.get("/realtime/v1/websocket", server.serve_socket),
            web.get("/health", server.serve_health),
            web.route("*", "/{path:.*}", server.refuse_path),
        ]
    )
    keep_running(app, "message-source", server.source.run)
    app.on_shutdown.append(server.close_sockets)
    return app


if __name__ == "__main__":
    run_standin("realtime", build_app)
