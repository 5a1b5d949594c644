"""POST /write_logs: store a batch of the collector's log lines.

Signed calls only. No core: a line is stored as it is, once more without what is secret here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.edge import decode, read_signed_body, reply_json
from functions.write_logs.messages import WriteLogsReply, WriteLogsRequest
from shared.hidden import hide_text, hide_value

Write = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]


class WriteLogs:
    """The function; `write` stores a batch."""

    def __init__(self, write: Write, *, secret: str, now_ms: Callable[[], int]) -> None:
        self._write = write
        self._secret = secret
        self._now_ms = now_ms

    async def __call__(self, request: Request) -> Response:
        """Return a WriteLogsReply when the batch is stored."""
        body = await read_signed_body(request, self._secret, self._now_ms() // 1000)
        asked = decode(WriteLogsRequest, body)
        rows = [
            line.model_dump(mode="json")
            | {"event": hide_text(line.event), "fields": hide_value(line.fields)}
            for line in asked.lines
        ]
        await self._write(rows)
        return reply_json(WriteLogsReply(lines=len(rows)))
