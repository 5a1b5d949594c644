"""POST /backtest_rule: a rule over the history in Redis.

Replies with lines of JSON as they come: `{"progress": {"done", "total"}}`, then one
`{"report": shared.rules.backtest.Report}`, or `{"error": …}` if it could not end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.edge import error_content
from functions.function_log import FunctionLog
from functions.rule_requests import Question, RuleReader, RuleRequest
from shared.errors import ClosebellError
from shared.rules.backtest import Progress, Report, backtest
from shared.runs import KEPT_BARS

# Lines of progress at most, whatever the number of closes.
PROGRESS_LINES_MAX = 50


class BacktestRule:
    """The function; runs at most one backtest at a time, so that live runs keep a core."""

    def __init__(self, reader: RuleReader, log: FunctionLog) -> None:
        self._reader = reader
        self._log = log
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> Response:
        """Return the stream; a request that is wrong is refused before it begins."""
        asked, question = await self._reader.read(request, RuleRequest, bars=KEPT_BARS)
        steps = backtest(
            question.rule,
            question.window,
            trigger=asked.trigger,
            universe=asked.universe,
            longer=question.longer,
        )
        # What is wrong shows at the first step, and is an ordinary error then.
        first = await asyncio.to_thread(next, steps)
        return StreamingResponse(
            self._lines(first, steps, question), media_type="application/x-ndjson"
        )

    async def _lines(
        self, first: Progress | Report, steps: Iterator[Progress | Report], question: Question
    ) -> AsyncIterator[bytes]:
        try:
            async with self._turn:
                step: Progress | Report = first
                shown = 0
                while isinstance(step, Progress):
                    if step.done * PROGRESS_LINES_MAX >= shown * step.total:
                        shown += 1
                        yield _line({"progress": msgspec.to_builtins(step)})
                    step = await asyncio.to_thread(next, steps)
                yield _line({"report": msgspec.to_builtins(step)})
        except ClosebellError as error:
            yield _line({"error": error_content(error)})
        except Exception as error:
            self._log.line(
                "error", "backtest_crashed", rule=question.rule.canonical, exc_info=error
            )
            yield _line({"error": {"code": "InternalError", "message": "an unexpected error"}})


def _line(content: dict[str, Any]) -> bytes:
    return msgspec.json.encode(content) + b"\n"
