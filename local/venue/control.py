"""The operator's endpoints, for this machine only: faults, steps, state, readiness.

`POST /control/fault` (see fault.py) · `DELETE /control/fault` (all) · `POST /control/step`
{"minutes", "forming_pushes"} · `GET /control/state` · `GET /control/ready` (503 while history is
being computed).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json

import msgspec
from aiohttp import web

from local.venue.fault import Fault
from local.venue.rest import WARMING, WEIGHTS, Handler
from local.venue.sockets import VENUE

_STEPS_MAX = 10_000


class _Steps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    minutes: int = 1
    forming_pushes: int = 0


def add_control_routes(app: web.Application) -> None:
    """Serve `/control`."""
    app.middlewares.append(_loopback_only)
    app.router.add_post("/control/fault", _inject)
    app.router.add_delete("/control/fault", _clear)
    app.router.add_post("/control/step", _step)
    app.router.add_get("/control/state", _state)
    app.router.add_get("/control/ready", _ready)


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/control/"):
        remote = request.remote
        if remote is None or not ipaddress.ip_address(remote).is_loopback:
            raise web.HTTPForbidden(text="control is for this machine only")
    return await handler(request)


async def _inject(request: web.Request) -> web.Response:
    try:
        fault = msgspec.json.decode(await request.read(), type=Fault)
        fault_id = request.app[VENUE].inject(fault)
    except (msgspec.MsgspecError, ValueError) as error:
        return _json({"error": {"code": "InvalidRequest", "message": str(error)}}, 400)
    return _json({"id": fault_id, "kind": fault.kind})


async def _clear(request: web.Request) -> web.Response:
    request.app[VENUE].faults.clear()
    return _json({})


async def _step(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    body = await request.read()
    try:
        steps = msgspec.json.decode(body, type=_Steps) if body else _Steps()
        if not 1 <= steps.minutes <= _STEPS_MAX or not 0 <= steps.forming_pushes <= 60:
            raise ValueError("expected minutes of 1 … 10,000 and forming_pushes of 0 … 60")
        open_time_ms = 0
        for _ in range(steps.minutes):
            open_time_ms = venue.step(steps.forming_pushes)
            await asyncio.sleep(0)
    except (msgspec.MsgspecError, ValueError) as error:
        return _json({"error": {"code": "InvalidRequest", "message": str(error)}}, 400)
    return _json(
        {
            "open_time_ms": open_time_ms,
            "closed_at_ms": venue.last_closed_ms,
            "ended": venue.has_ended(),
        }
    )


async def _state(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    now_s = venue.monotonic_s()
    hub = venue.hub
    return _json(
        {
            "feed": venue.market.feed,
            "now_ms": venue.clock.now_ms(),
            "speed": venue.clock.speed,
            "stepped": venue.clock.stepped,
            "symbols": len(venue.symbols),
            "history_from_ms": venue.market.history_from_ms,
            "last_closed_ms": venue.last_closed_ms,
            "ends_at_ms": venue.market.ends_at_ms,
            "ended": venue.has_ended(),
            "ready": request.app[WARMING].is_done,
            "sockets": len(hub.connections),
            "streams": int(hub.wanted.sum()),
            "messages_sent": hub.messages_sent,
            "bytes_sent": hub.bytes_sent,
            "weight_used": request.app[WEIGHTS].used,
            "counts": dict(venue.counts + venue.sender.counts),
            "faults": venue.faults.in_force(now_s),
            "faults_struck": dict(venue.faults.struck),
        }
    )


async def _ready(request: web.Request) -> web.Response:
    ready = request.app[WARMING].is_done
    return _json({"ready": ready}, 200 if ready else 503)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(value), status=status, content_type="application/json")
