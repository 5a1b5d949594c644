"""The gateway in front of a service that tells what reached it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from local.gateway import host_of
from tests.integration.standin_servers import answers, free_port, run_standin, wait_until

CONFIG = '{"supabase_url": "http://127.0.0.1:8420", "feed": "simulated"}'
INDEX = "<!doctype html><title>Closebell</title>"


async def tell(request: web.Request) -> web.StreamResponse:
    """Answer with what was received, or as the path asks."""
    if request.path == "/rest/v1/large":
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        for _ in range(40):
            await response.write(b"x" * 25_000)
        await response.write_eof()
        return response
    if request.path == "/realtime/v1/websocket":
        sock = web.WebSocketResponse()
        await sock.prepare(request)
        async for message in sock:
            if message.type is aiohttp.WSMsgType.BINARY:
                await sock.send_bytes(message.data[::-1])
            elif message.data == "bye":
                await sock.close(code=4001, message=b"bye")
            else:
                await sock.send_str(f"{request.query_string}:{message.data}")
        return sock
    told = {
        "method": request.method,
        "url": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode(),
    }
    answer = web.json_response(told, status=409, headers={"Access-Control-Allow-Origin": "*"})
    answer.headers["Content-Range"] = "0-1/2"
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The service behind, in a thread with a loop of its own."""
    port, stop, loop = free_port(), Event(), asyncio.new_event_loop()

    async def serve() -> None:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", tell)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.to_thread(stop.wait)
        await runner.cleanup()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = Thread(target=run)
    thread.start()
    wait_until(lambda: port_is_open(port), "service ready")
    yield f"http://127.0.0.1:{port}"
    stop.set()
    thread.join(60)


def port_is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    (folder / "index.html").write_text(INDEX)
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "assets").mkdir()
    (folder / "assets" / "app-4f2a.js").write_text("export {}")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def gateway(service: str, dashboard: Path) -> Iterator[URL]:
    environment = {
        "LITE_URL": service,
        "REALTIME_URL": service,
        "FUNCTIONS_URL_INTERNAL": f"http://127.0.0.1:{free_port()}",
        "DASHBOARD_DIST": str(dashboard),
        "CONFIG_JSON": CONFIG,
        "GATEWAY_HOSTS": "forwarded.example",
    }
    with run_standin(
        "gateway", environment, lambda port: answers(f"http://127.0.0.1:{port}/config.json")
    ) as (port, _):
        yield URL(f"http://127.0.0.1:{port}")


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def raw(gateway: URL, path: str) -> URL:
    return URL(f"{gateway}".rstrip("/") + path, encoded=True)


async def test_request_and_answer_pass_unchanged(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    async with client.post(
        raw(gateway, "/rest/v1/rpc/do%20it?select=*&a=eq.x%26y"),
        data=b'{"n": 1}',
        headers={"apikey": "k", "Authorization": "Bearer t", "Prefer": "return=minimal"},
    ) as answer:
        told = await answer.json()
        assert answer.status == 409
        assert answer.headers["Content-Range"] == "0-1/2"
        assert sorted(answer.headers.getall("Set-Cookie")) == ["a=1; Path=/", "b=2; Path=/"]
    assert (told["method"], told["url"]) == ("POST", "/rest/v1/rpc/do%20it?select=*&a=eq.x%26y")
    assert told["body"] == '{"n": 1}'
    sent = told["headers"]
    assert (sent["apikey"], sent["authorization"]) == ("k", "Bearer t")
    assert sent["prefer"] == "return=minimal"
    assert sent["x-forwarded-host"] == f"{gateway.host}:{gateway.port}"


async def test_large_answer_is_streamed_whole(client: aiohttp.ClientSession, gateway: URL) -> None:
    async with client.get(gateway / "rest/v1/large") as answer:
        assert answer.status == 200
        assert await answer.read() == b"x" * 1_000_000


async def test_service_that_is_down_is_502_with_the_reason(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    async with client.post(gateway / "functions/v1/save_trader", json={}) as answer:
        assert answer.status == 502
        told = await answer.json()
    assert told["code"] == "UpstreamUnavailable"
    assert told["message"] == "expected the functions to answer, was not reachable"


async def test_body_over_the_limit_is_413(client: aiohttp.ClientSession, gateway: URL) -> None:
    async with client.post(gateway / "rest/v1/x", data=BytesIO(b"x" * 10_485_761)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "BodyTooLarge")
    async with client.post(gateway / "rest/v1/x", data=BytesIO(b"x" * 10_485_760)) as answer:
        assert answer.status == 409


@pytest.mark.parametrize(
    "path",
    [
        "/rest/v1/../../_system/info",
        "/auth/v1/%2e%2e/%2E%2E/_system/info",
        "/rest/v1/..%2f..%2f_system/info",
        "/rest/v1/..%5c..%5c_system/info",
    ],
)
async def test_path_that_climbs_out_of_its_prefix_is_refused(
    client: aiohttp.ClientSession, gateway: URL, path: str
) -> None:
    async with client.get(raw(gateway, path)) as answer:
        assert answer.status == 400


async def test_other_pages_of_the_rest_server_are_not_reachable(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    for path in ("_system/info", "rest/v2/x", "storage/v1/x"):
        async with client.get(gateway / path) as answer:
            assert (answer.status, await answer.text()) == (200, INDEX)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 200),
        ("[::1]:8420", 200),
        ("forwarded.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
async def test_only_known_hosts_are_answered(
    client: aiohttp.ClientSession, gateway: URL, host: str, status: int
) -> None:
    async with client.get(gateway / "config.json", headers={"Host": host}) as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("http://localhost:5173", True), ("https://evil.example", False), ("null", False)],
)
async def test_only_loopback_origins_may_read(
    client: aiohttp.ClientSession, gateway: URL, origin: str, allowed: bool
) -> None:
    expected = origin if allowed else None
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "apikey, x-client-info",
    }
    async with client.options(gateway / "rest/v1/traders", headers=preflight) as answer:
        assert answer.status == 204
        assert answer.headers.get("Access-Control-Allow-Origin") == expected
        headers = answer.headers.get("Access-Control-Allow-Headers")
        assert headers == ("apikey, x-client-info" if allowed else None)
    for path in ("rest/v1/traders", "rest/v1/large", "config.json"):
        async with client.get(gateway / path, headers={"Origin": origin}) as answer:
            assert answer.headers.get("Access-Control-Allow-Origin") == expected


async def test_config_is_the_text_given_and_never_stored(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    async with client.get(gateway / "config.json") as answer:
        assert await answer.json() == json.loads(CONFIG)
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "text", "cache"),
    [
        ("/", 200, INDEX, "no-store"),
        ("/traders/7", 200, INDEX, "no-store"),
        ("/favicon.svg", 200, "<svg/>", "no-cache"),
        ("/assets/app-4f2a.js", 200, "export {}", "public, max-age=31536000, immutable"),
        ("/assets/app-old.js", 404, "Not found.\n", None),
        ("/..%2fsecret.txt", 404, "Not found.\n", None),
        ("/%00", 200, INDEX, "no-store"),
    ],
)
async def test_dashboard_files(
    client: aiohttp.ClientSession,
    gateway: URL,
    path: str,
    status: int,
    text: str,
    cache: str | None,
) -> None:
    async with client.get(raw(gateway, path)) as answer:
        assert (answer.status, await answer.text()) == (status, text)
        assert answer.headers.get("Cache-Control") == cache
    async with client.post(raw(gateway, path)) as answer:
        assert answer.status == 405


async def test_socket_passes_frames_both_ways_and_the_close_code(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    url = (gateway / "realtime/v1/websocket").with_query({"apikey": "k", "vsn": "2.0.0"})
    async with client.ws_connect(url, origin="http://localhost:5173") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=60) == "apikey=k&vsn=2.0.0:hello"
        await socket.send_bytes(b"\x00\x01\x02")
        assert await socket.receive_bytes(timeout=60) == b"\x02\x01\x00"
        await socket.send_str("bye")
        closed = await socket.receive(timeout=60)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4001)


async def test_socket_of_a_foreign_page_is_refused(
    client: aiohttp.ClientSession, gateway: URL
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(gateway / "realtime/v1/websocket", origin="https://evil.example")
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.0.0.1:8420", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("http://localhost:5173", "localhost"),
        ("null", "null"),
        ("", ""),
        ("http://[bad", ""),
    ],
)
def test_host_of(text: str, host: str) -> None:
    assert host_of(text) == host


def test_gateway_without_a_build_or_config_says_so(service: str, tmp_path: Path) -> None:
    environment: dict[str, Any] = {
        "LITE_URL": service,
        "REALTIME_URL": service,
        "FUNCTIONS_URL_INTERNAL": service,
        "DASHBOARD_DIST": str(tmp_path),
        "CONFIG_JSON": "[1]",
    }
    with (
        pytest.raises(AssertionError, match="gateway ended: expected a JSON object in CONFIG_JSON"),
        run_standin("gateway", environment, lambda _: False),
    ):
        pass
