"""GET /health: this process answers; it asks nobody, so it is quick and says nothing of others."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions import VERSION
from functions.edge import reply_json


async def health(_request: Request) -> Response:
    """Return the version."""
    return reply_json({"status": "ok", "version": VERSION})
