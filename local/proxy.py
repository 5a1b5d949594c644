"""Forward one HTTP request or one socket to a service behind the gateway, as it came.

Authorization, apikey and all other end-to-end headers pass unchanged. Not here: which path goes
where, and who may ask (gateway).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from io import BytesIO

import aiohttp
import structlog
from aiohttp import WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

from shared.errors import InvalidRequest

# The hosted limit of a REST or function request is of this order; a frame is far smaller.
BODY_BYTES_MAX = 10 * 1024 * 1024
# Answers up to this size are passed on in one piece: one write less on the hot path.
BUFFERED_BYTES_MAX = 256 * 1024
SOCKET_MESSAGE_BYTES_MAX = 4 * 1024 * 1024
CONNECT_TIMEOUT_S = 2.0
# Functions may take 60 s; a silent upstream is given up after that.
READ_TIMEOUT_S = 65.0
CONNECTIONS_MAX = 200

# Headers of one connection, not of the request (RFC 9110, section 7.6.1), and those we compute.
HOP_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# The gateway answers for origins, whatever a service behind it says.
CORS_PREFIX = "access-control-"

log = structlog.get_logger()


def open_session() -> aiohttp.ClientSession:
    """Return the pool of kept-alive connections to the services."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
        ),
        # Compressed answers pass as they are, cookies belong to the clients.
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        # A proxy named by the machine's environment has no business on the loopback.
        trust_env=False,
    )


def refuse(status: int, code: str, message: str, hint: str = "") -> web.Response:
    """Return an error in the shape that Supabase's clients read."""
    content = {"code": code, "message": message, "hint": hint, "details": None}
    return web.json_response(content, status=status)


def target_url(base: URL, request: web.Request, strip: str) -> URL:
    """Return where the request goes: its path without `strip`, its query as it was written.

    Raises: InvalidRequest for a path that climbs; a service would leave its prefix by it.
    """
    raw_path = request.rel_url.raw_path
    segments = URL(raw_path, encoded=True).path.replace("\\", "/").split("/")
    if ".." in segments or "." in segments:
        raise InvalidRequest("expected a path without dot segments")
    path = raw_path.removeprefix(strip) or "/"
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    return URL(f"{base}".rstrip("/") + path + query, encoded=True)


def forwarded_headers(request: web.Request) -> CIMultiDict[str]:
    """Return the request's end-to-end headers, and where it came from."""
    headers: CIMultiDict[str] = CIMultiDict(
        (name, value) for name, value in request.headers.items() if name.lower() not in HOP_HEADERS
    )
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-For"] = request.remote or ""
    return headers


def returned_headers(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the answer's headers that belong to the client."""
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in HOP_HEADERS and not name.lower().startswith(CORS_PREFIX)
    )


async def forward(
    session: aiohttp.ClientSession, request: web.Request, url: URL, service: str
) -> web.StreamResponse:
    """Send the request on and stream the answer back; 413, 502 or 504 with the reason if not."""
    try:
        body = await request.read() if request.body_exists else None
    except web.HTTPRequestEntityTooLarge:
        return refuse(413, "BodyTooLarge", f"expected a body of at most {BODY_BYTES_MAX} bytes")
    try:
        async with session.request(
            request.method,
            url,
            headers=forwarded_headers(request),
            # A large body is handed over in pieces, so that others are served in between.
            data=body if body is None or len(body) <= BUFFERED_BYTES_MAX else BytesIO(body),
            allow_redirects=False,
        ) as answer:
            return await return_answer(request, answer)
    except TimeoutError:
        return refuse(504, "UpstreamTimeout", f"expected {service} to answer in time, did not")
    except aiohttp.ClientError as error:
        log.warning("upstream_failed", service=service, error=repr(error))
        return refuse(
            502,
            "UpstreamUnavailable",
            f"expected {service} to answer, was not reachable",
            "it starts again by itself; its log says why it ended",
        )


async def return_answer(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass the answer on: in one piece if it is small, else chunk by chunk."""
    headers = returned_headers(answer.headers)
    length = answer.content_length
    if request.method == "HEAD" or answer.status in (204, 304):
        if length is not None and request.method == "HEAD":
            headers["Content-Length"] = str(length)
        return web.Response(status=answer.status, reason=answer.reason, headers=headers)
    if length is not None and length <= BUFFERED_BYTES_MAX:
        return web.Response(
            status=answer.status, reason=answer.reason, headers=headers, body=await answer.read()
        )
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    response.content_length = length
    add_cors = request.get("cors_headers")
    if add_cors:
        response.headers.update(add_cors)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


async def forward_socket(
    session: aiohttp.ClientSession, request: web.Request, url: URL, service: str
) -> web.StreamResponse:
    """Connect the client's socket with the service's, frame by frame, until either closes."""
    headers = {
        name: value
        for name, value in forwarded_headers(request).items()
        if not name.lower().startswith("sec-websocket-") and name.lower() != "host"
    }
    try:
        upstream = await session.ws_connect(
            url,
            headers=headers,
            autoping=False,
            max_msg_size=SOCKET_MESSAGE_BYTES_MAX,
            compress=0,
        )
    except aiohttp.WSServerHandshakeError as error:
        return refuse(error.status, "SocketRefused", f"{service} refused the socket")
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("upstream_failed", service=service, error=repr(error))
        return refuse(502, "UpstreamUnavailable", f"expected {service} to answer, did not")
    client = web.WebSocketResponse(
        autoping=False, max_msg_size=SOCKET_MESSAGE_BYTES_MAX, compress=False
    )
    try:
        await client.prepare(request)
        request.app["sockets"].add(client)
        pumps = [
            asyncio.create_task(pump(client, upstream)),
            asyncio.create_task(pump(upstream, client)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
    finally:
        request.app["sockets"].discard(client)
        await upstream.close(code=client.close_code or aiohttp.WSCloseCode.GOING_AWAY)
        await client.close(code=upstream.close_code or aiohttp.WSCloseCode.GOING_AWAY)
    return client


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def pump(source: Socket, sink: Socket) -> None:
    """Pass frames on until the source closes."""
    while True:
        received = await source.receive()
        match received.type:
            case WSMsgType.TEXT:
                await sink.send_str(received.data)
            case WSMsgType.BINARY:
                await sink.send_bytes(received.data)
            case WSMsgType.PING:
                await sink.ping(received.data)
            case WSMsgType.PONG:
                await sink.pong(received.data)
            case _:
                return
