"""Upstash's REST door in front of a real Redis: the contract, its limits, and a command meter.

Speaks what an unmodified upstash-redis client sends: POST /, /pipeline and /multi-exec with JSON
arrays, a Bearer token, and `Upstash-Encoding: base64`. It refuses what Upstash refuses (blocking,
subscribing, administrative commands) and what it does not implement (commands in the path, SSE).
Source: https://upstash.com/docs/redis/features/restapi (checked 2026-11-21).

Environment: LISTEN_PORT, REDIS_URL (redis://127.0.0.1:port), UPSTASH_REDIS_REST_TOKEN.
Also answers GET /health (200 while Redis answers) and GET /_meter:
{"commands": {name: count}, "total", "bytes_received", "bytes_sent", "since_ms"}.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence

import msgspec
import structlog
from aiohttp import web
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from local.standin import read_setting, run_standin
from local.upstash_protocol import (
    REQUEST_BYTES_MAX,
    Command,
    Meter,
    Refusal,
    error_text,
    parse_body,
    render_reply,
)

CONNECTIONS_MAX = 32
CONNECTION_WAIT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 10.0

log = structlog.get_logger()


class Door:
    """The HTTP handlers over one pool of Redis connections."""

    def __init__(self, redis_url: str, token: str, meter: Meter) -> None:
        self._authorization = f"Bearer {token}".encode()
        self._meter = meter
        self._pool = BlockingConnectionPool.from_url(
            redis_url,
            # RESP3 would bring maps and floats that the REST contract does not know.
            protocol=2,
            max_connections=CONNECTIONS_MAX,
            timeout=CONNECTION_WAIT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=REPLY_TIMEOUT_S,
            # A command whose connection broke may have run: the caller decides about a retry.
            retry=Retry(NoBackoff(), 0),
        )

    async def run_commands(self, commands: Sequence[Command]) -> list[object]:
        """Return one raw reply (or ResponseError) a command, over one connection.

        Raises: RedisConnectionError, RedisTimeoutError.
        """
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            replies: list[object] = []
            for _ in commands:
                try:
                    replies.append(await connection.read_response(disable_decoding=True))
                except ResponseError as error:
                    replies.append(error)
            return replies
        except BaseException:
            # Replies of this request may still arrive: the connection must not be used again.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)

    async def run_transaction(self, commands: Sequence[Command]) -> list[object]:
        """Return the replies of one MULTI … EXEC.

        Raises: Refusal (400) if Redis refuses to queue a command: nothing has run then.
        """
        replies = await self.run_commands([[b"MULTI"], *commands, [b"EXEC"]])
        results = replies[-1]
        if not isinstance(results, list):
            refused = next((r for r in replies if isinstance(r, Exception)), results)
            raise Refusal(400, error_text(refused) if isinstance(refused, Exception) else "ERR")
        return results

    async def serve_command(self, request: web.Request) -> web.Response:
        """POST /: one command."""
        return await self._serve(request, many=False, transaction=False)

    async def serve_pipeline(self, request: web.Request) -> web.Response:
        """POST /pipeline: each command on its own, errors beside results."""
        return await self._serve(request, many=True, transaction=False)

    async def serve_transaction(self, request: web.Request) -> web.Response:
        """POST /multi-exec: all or none."""
        return await self._serve(request, many=True, transaction=True)

    async def _serve(self, request: web.Request, *, many: bool, transaction: bool) -> web.Response:
        try:
            given = request.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, self._authorization):
                raise Refusal(401, "WRONGPASS invalid or missing auth token")
            body = await read_body(request)
            commands = parse_body(body, many=many)
            self._meter.admit(commands, time.monotonic())
            run = self.run_transaction if transaction else self.run_commands
            replies = await run(commands)
        except Refusal as refusal:
            return self._reply({"error": refusal.message}, refusal.status)
        except (RedisError, OSError) as error:
            log.warning("redis_failed", error=repr(error))
            return self._reply({"error": f"ERR Redis is not reachable: {error}"}, 503)
        self._meter.bytes_received += len(body)
        encoded = request.headers.get("Upstash-Encoding") == "base64"
        rendered = [render_reply(reply, encoded=encoded) for reply in replies]
        if many:
            return self._reply(rendered, 200)
        return self._reply(rendered[0], 400 if "error" in rendered[0] else 200)

    def _reply(self, content: object, status: int) -> web.Response:
        body = msgspec.json.encode(content)
        self._meter.bytes_sent += len(body)
        return web.Response(body=body, status=status, content_type="application/json")

    async def serve_health(self, _request: web.Request) -> web.Response:
        """GET /health: 200 while Redis answers PING."""
        try:
            await self.run_commands([[b"PING"]])
        except (RedisError, OSError) as error:
            return web.json_response({"status": "unavailable", "error": str(error)}, status=503)
        return web.json_response({"status": "ok"})

    async def serve_meter(self, _request: web.Request) -> web.Response:
        """GET /_meter: commands and bytes since the door was opened."""
        return web.json_response(self._meter.report())

    async def close(self, _app: web.Application) -> None:
        """Give the connections back."""
        await self._pool.disconnect()


async def read_body(request: web.Request) -> bytes:
    """Return the request body.

    Raises: Refusal (413) if it is over the limit.
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(
            413, f"ERR max request size exceeded. Limit: {REQUEST_BYTES_MAX} bytes"
        ) from error


async def refuse_path(_request: web.Request) -> web.Response:
    """Answer any other path or method: commands in the path and SSE are not implemented."""
    error = "ERR expected POST to /, /pipeline or /multi-exec; this local door knows no other form"
    return web.json_response({"error": error}, status=404)


def build_app() -> web.Application:
    """Wire the door from the environment.

    Raises: ConfigError.
    """
    meter = Meter(time.monotonic(), time.time_ns() // 1_000_000)
    door = Door(read_setting("REDIS_URL"), read_setting("UPSTASH_REDIS_REST_TOKEN"), meter)
    app = web.Application(client_max_size=REQUEST_BYTES_MAX)
    app.add_routes(
        [
            web.post("/", door.serve_command),
            web.post("/pipeline", door.serve_pipeline),
            web.post("/multi-exec", door.serve_transaction),
            web.get("/health", door.serve_health),
            web.get("/_meter", door.serve_meter),
            web.route("*", "/{path:.*}", refuse_path),
        ]
    )
    app.on_cleanup.append(door.close)
    return app


if __name__ == "__main__":
    run_standin("upstash-door", build_app)
