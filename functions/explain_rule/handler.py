"""POST /explain_rule: the tree of a rule for one instrument at one close, every value in it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions.edge import reply_json
from functions.rule_checks import nearest_instrument
from functions.rule_requests import Instrument, Question, RuleReader, RuleRequest
from shared.errors import InvalidRequest
from shared.rules import build_plan, evaluate


class ExplainRequest(RuleRequest):
    """The rule, and the instrument in question."""

    instrument: Instrument


class ExplainRule:
    """The function."""

    def __init__(self, reader: RuleReader) -> None:
        self._reader = reader

    async def __call__(self, request: Request) -> Response:
        """Return `{rule, instrument, closed_at_ms, feed, tree: shared.rules.Explanation}`."""
        asked, question = await self._reader.read(request, ExplainRequest)
        return reply_json(await asyncio.to_thread(explain, asked, question))


def explain(asked: ExplainRequest, question: Question) -> dict[str, Any]:
    """Return the reply. Raises: InvalidRequest if the instrument is not followed."""
    window = question.window
    column = window.instrument_index().get(asked.instrument)
    if column is None:
        hint, suggestion = nearest_instrument(asked.instrument, window)
        raise InvalidRequest(
            f"expected an instrument that is followed, was {asked.instrument}",
            hint=hint,
            field="instrument",
            suggestion=suggestion,
        )
    universe = None if asked.universe is None else tuple(asked.universe)
    plan = build_plan([question.rule], [universe])
    verdicts = evaluate(plan, window, longer=question.longer)
    return {
        "rule": question.rule.canonical,
        "instrument": asked.instrument,
        "closed_at_ms": window.closed_at_ms,
        "feed": str(window.feed),
        "tree": msgspec.to_builtins(verdicts.tree(0, column)),
    }
