"""What a browser speaks to: REST with both keys, the private broadcast, the dashboard itself."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from cli.checks.check import Finding, fault, ok
from cli.checks.ground import REQUEST_TIMEOUT_S, Ground, reason_of
from shared.errors import StoreUnavailable

RELOAD = "SQL: notify pgrst, 'reload schema';"
ADDRESS = "set SUPABASE_URL in .env to the project's URL"
# A broadcast is on a screen within 0.1 s; this is when it is lost.
BROADCAST_TIMEOUT_S = 3.0
PROTOCOL = "1.0.0"


async def ask_rest(ground: Ground) -> Finding:
    """Read a row with the secret key; ask auth with the publishable one."""
    url = ground.url("supabase_url")
    key = ground.require("supabase_secret_key")
    public_key = ground.require("supabase_publishable_key")
    began_s = time.monotonic()
    answer = await ground.request(
        "GET",
        f"{url}/rest/v1/feed_status",
        params={"select": "venue", "limit": "1"},
        headers={"apikey": key},
    )
    took_ms = (time.monotonic() - began_s) * 1000
    if answer.status_code != 200:
        return judge_rest(answer.status_code, answer.text, "SUPABASE_SECRET_KEY", took_ms)
    answer = await ground.request("GET", f"{url}/auth/v1/health", headers={"apikey": public_key})
    return judge_rest(answer.status_code, answer.text, "SUPABASE_PUBLISHABLE_KEY", took_ms)


def judge_rest(status: int, text: str, name: str, took_ms: float) -> Finding:
    """Judge the answer to a request with the key `name`."""
    if status == 200:
        return ok(f"both keys are accepted, {took_ms:.0f} ms")
    if status in (401, 403):
        return fault(f"{name} is refused ({status})")
    if status == 404 and "PGRST205" in text:
        return fault("the view feed_status is not known (404)", RELOAD)
    if status == 404:
        return fault("answered 404: SUPABASE_URL is no project's", ADDRESS)
    return fault(f"answered {status}")


async def ask_realtime(ground: Ground) -> Finding:
    """Join a private topic, let Postgres send one message to it, and receive it.

    As the service, which may listen to any topic; the message stays in realtime.messages until
    its day's partition is dropped.
    """
    topic = f"doctor:{secrets.token_hex(8)}"
    base = ground.url("supabase_url").replace("http", "ws", 1)
    query = urlencode({"apikey": ground.require("supabase_secret_key"), "vsn": PROTOCOL})
    try:
        async with connect(
            f"{base}/realtime/v1/websocket?{query}",
            open_timeout=REQUEST_TIMEOUT_S,
            close_timeout=0.5,
        ) as socket:
            reason = await _join(socket, topic)
            if reason:
                return fault(f"the join of a private topic was refused: {reason}")
            began_s = time.monotonic()
            await ground.fetch(
                "select realtime.send(jsonb_build_object('doctor', true), 'ping', %s, true)", topic
            )
            try:
                async with asyncio.timeout(BROADCAST_TIMEOUT_S):
                    await _receive(socket, f"realtime:{topic}", "broadcast")
            except TimeoutError:
                return fault(
                    f"joined, but no message of Postgres came in {BROADCAST_TIMEOUT_S:.0f} s"
                )
            return ok(f"a private broadcast took {(time.monotonic() - began_s) * 1000:.0f} ms")
    except InvalidStatus as error:
        status = error.response.status_code
        if status in (401, 403):
            return fault(f"SUPABASE_SECRET_KEY is refused ({status})", "closebell doctor rest")
        return fault(f"the socket was answered {status}")
    except (OSError, TimeoutError, WebSocketException) as error:
        raise StoreUnavailable(f"no socket: {reason_of(error)}") from error


async def _join(socket: ClientConnection, topic: str) -> str:
    """Join as the service; return why it was refused, or an empty text."""
    name = f"realtime:{topic}"
    payload = {"config": {"private": True, "broadcast": {"ack": False, "self": False}}}
    message = {"topic": name, "event": "phx_join", "payload": payload, "ref": "1", "join_ref": "1"}
    await socket.send(msgspec.json.encode(message).decode())
    async with asyncio.timeout(REQUEST_TIMEOUT_S):
        reply = await _receive(socket, name, "phx_reply")
    if reply.get("status") == "ok":
        return ""
    return str((reply.get("response") or {}).get("reason", reply))


async def _receive(socket: ClientConnection, topic: str, event: str) -> dict[str, Any]:
    """Return the payload of the next message of this kind; the caller bounds the wait."""
    while True:
        message = msgspec.json.decode(await socket.recv())
        if message.get("topic") == topic and message.get("event") == event:
            payload: dict[str, Any] = message["payload"]
            return payload


async def ask_dashboard(ground: Ground) -> Finding:
    """Get the page, as a browser does first."""
    url = ground.url("dashboard_url")
    answer = await ground.request("GET", f"{url}/", follow_redirects=True)
    return judge_dashboard(answer.status_code, answer.headers.get("content-type", ""), url)


def judge_dashboard(status: int, content_type: str, url: str) -> Finding:
    """Judge the answer to GET /."""
    if status == 200 and content_type.startswith("text/html"):
        return ok(url)
    return fault(f"{url} answered {status} {content_type}".strip())
