"""POST /preview_rule: what a rule says now over a universe, its near misses, its cost."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions.edge import reply_json
from functions.rule_requests import RuleReader, RuleRequest
from shared.rules.preview import preview


class PreviewRule:
    """The function."""

    def __init__(self, reader: RuleReader) -> None:
        self._reader = reader

    async def __call__(self, request: Request) -> Response:
        """Return a shared.rules.preview.Preview."""
        asked, question = await self._reader.read(request, RuleRequest)
        found = await asyncio.to_thread(
            preview,
            question.rule,
            question.window,
            trigger=asked.trigger,
            universe=asked.universe,
            longer=question.longer,
        )
        return reply_json(msgspec.to_builtins(found))
