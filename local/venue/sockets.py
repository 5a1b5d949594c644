"""The socket endpoints `/ws/<stream>` and `/stream?streams=a/b`: control messages and limits.

Wire: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, checked
2026-11-21. Requests `{"method","params","id"}`; `{"result":null,"id"}` means done. Only
`<symbol>@kline_1m` is served; other kinds of stream are refused in words.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from local.venue.connections import STREAMS_MAX, Connection
from local.venue.venue import Venue

log = structlog.get_logger()

VENUE = web.AppKey("venue", Venue)
_MESSAGE_BYTES_MAX = 64_000


def add_socket_routes(app: web.Application) -> None:
    """Serve `/stream`, `/ws` and `/ws/<stream>`."""
    app.router.add_get("/stream", _serve_socket)
    app.router.add_get("/ws", _serve_socket)
    app.router.add_get("/ws/{streams:.*}", _serve_socket)


async def _serve_socket(request: web.Request) -> web.StreamResponse:
    venue = request.app[VENUE]
    if venue.faults.refuses_sockets(venue.monotonic_s()):
        raise web.HTTPServiceUnavailable(text="no sockets now")
    combined = request.path == "/stream"
    asked = request.query.get("streams", "") if combined else request.match_info.get("streams", "")
    streams = [stream for stream in asked.split("/") if stream]
    refusal = _refusal(streams)
    if refusal or len(streams) > STREAMS_MAX:
        raise web.HTTPBadRequest(text=refusal or f"more than {STREAMS_MAX} streams")
    # No pings by aiohttp: the venue's own count as messages and carry its time.
    socket = web.WebSocketResponse(
        autoping=False, compress=False, max_msg_size=_MESSAGE_BYTES_MAX, timeout=1.0
    )
    await socket.prepare(request)
    transport = request.transport
    if transport is None or not isinstance(transport, asyncio.Transport):
        return socket
    connection = Connection(socket, transport, combined)
    venue.hub.add(connection)
    venue.hub.subscribe(connection, streams)
    venue.counts["sockets_opened"] += 1
    pinging = asyncio.create_task(_keep_alive(venue, connection))
    try:
        await _answer(venue, connection)
    finally:
        pinging.cancel()
        venue.hub.remove(connection)
    return socket


async def _answer(venue: Venue, connection: Connection) -> None:
    """Take messages until the socket ends; more than the limit within a second ends it."""
    socket = connection.socket
    async for message in socket:
        now_s = time.monotonic()
        if connection.is_flooding(now_s):
            venue.counts["sockets_flooding"] += 1
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
            return
        if message.type is WSMsgType.PONG:
            connection.last_pong_s = now_s
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(json.dumps(_control(venue, connection, message.data)))
        elif message.type is WSMsgType.ERROR:
            return


async def _keep_alive(venue: Venue, connection: Connection) -> None:
    """Ping; end the socket if no pong came for a minute, or at the end of its life."""
    options = venue.options
    socket = connection.socket
    while not socket.closed:
        left_s = connection.opened_s + options.connection_life_s - time.monotonic()
        await asyncio.sleep(max(min(options.ping_interval_s, left_s), 0.0))
        now_s = time.monotonic()
        if now_s >= connection.opened_s + options.connection_life_s:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"connection life is over")
            return
        if now_s - connection.last_pong_s > options.pong_timeout_s:
            venue.counts["sockets_without_pong"] += 1
            connection.abort()
            return
        try:
            await socket.ping(str(venue.announced_ms()).encode())
        except ConnectionError:
            # It is closing; the reader ends the connection.
            return


def _control(venue: Venue, connection: Connection, text: str) -> dict[str, Any]:
    """Carry out one request; return the answer."""
    try:
        request = json.loads(text)
    except ValueError:
        return {"code": 3, "msg": "Invalid JSON: expected value"}
    if not isinstance(request, dict):
        return {"code": 2, "msg": "Invalid request: expected an object"}
    request_id = request.get("id")
    method, params = request.get("method"), request.get("params", [])
    if isinstance(request_id, str) and len(request_id) > 36:
        return _refused(None, "request ID must be at most 36 characters")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        return _refused(None, "request ID must be an integer or a string")
    if not isinstance(params, list):
        return _refused(request_id, "expected `params` to be an array")
    if method == "LIST_SUBSCRIPTIONS":
        return {"result": sorted(connection.streams), "id": request_id}
    if method == "GET_PROPERTY" and params == ["combined"]:
        return {"result": connection.combined, "id": request_id}
    if method == "SET_PROPERTY" and len(params) == 2 and params[0] == "combined":
        if not isinstance(params[1], bool):
            return _refused(request_id, "expected `combined` to be a boolean")
        connection.combined = params[1]
        return {"result": None, "id": request_id}
    if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
        return _refused(request_id, f"unknown variant `{method}`")
    if not params or not all(isinstance(one, str) for one in params):
        return _refused(request_id, "expected `params` to hold stream names")
    if method == "UNSUBSCRIBE":
        venue.hub.unsubscribe(connection, params)
        return {"result": None, "id": request_id}
    refusal = _refusal(params)
    if refusal:
        return _refused(request_id, refusal)
    if len(connection.streams.union(params)) > STREAMS_MAX:
        return _refused(request_id, f"more than {STREAMS_MAX} streams")
    venue.hub.subscribe(connection, params)
    return {"result": None, "id": request_id}


def _refusal(streams: list[str]) -> str:
    """Return why these streams cannot be had; empty if they can."""
    for stream in streams:
        if not stream.endswith("@kline_1m"):
            return f"stream {stream[:60]!r} is not simulated: only <symbol>@kline_1m is"
        if stream != stream.lower():
            return f"stream {stream[:60]!r} must be lower case"
    return ""


def _refused(request_id: int | str | None, message: str) -> dict[str, Any]:
    return {"code": 2, "msg": f"Invalid request: {message}", "id": request_id}
