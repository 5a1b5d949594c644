"""The collector's lines arrive signed, in order and once, and never hold anything up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from collector.log_sender import LogSender
from shared.log_queue import QUEUE_LINES_MAX
from shared.signing import verify

SECRET = "a-secret-of-the-tests"
NOW_S = 1_760_000_040.5


class Functions:
    """Answers with what is planned, then with 200; keeps what came."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[httpx.Request] = []
        self.called = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        self.called.set()
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json={"lines": 1})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lines(self, call: int = -1) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = json.loads(self.calls[call].content)["lines"]
        return lines


@asynccontextmanager
async def sender_to(functions: Functions) -> AsyncIterator[LogSender]:
    transport = httpx.MockTransport(functions)
    url = "http://functions/"
    sender = LogSender(url, SECRET, lambda: NOW_S, first_pause_s=0.001, transport=transport)
    yield sender
    await sender.close()


def told(event: str, **fields: Any) -> dict[str, Any]:
    """A line as the logger hands it on."""
    return {"event": event, "level": "info", "source": "collector", "at": "…", **fields}


async def test_batch_is_signed_and_holds_the_lines_in_order() -> None:
    functions = Functions()
    async with sender_to(functions) as sender:
        sender.keep(told("a", symbol="BTCUSDT", n=1))
        sender.keep(told("b"))
        assert await sender.send()
        request = functions.calls[0]
        assert str(request.url) == "http://functions/write_logs"
        verify(SECRET, request.headers, request.content, int(NOW_S))
        first, second = functions.lines()
        assert (first["event"], first["symbol"], first["fields"]) == ("a", "BTCUSDT", {"n": 1})
        assert first["logged_at"] == "2025-10-09T08:54:00.500000+00:00"
        assert second["fields"] == {}
        assert sender.counts == {"sent": 2, "dropped": 0, "waiting": 0, "failed_calls": 0}


async def test_batch_that_is_not_answered_is_sent_again_with_the_same_keys() -> None:
    functions = Functions(httpx.ReadTimeout("slow"), httpx.Response(503), httpx.ConnectError("no"))
    async with sender_to(functions) as sender:
        sender.keep(told("a"))
        assert [await sender.send() for _ in range(4)] == [False, False, False, True]
        keys = {functions.lines(call)[0]["line_key"] for call in range(4)}
        assert len(keys) == 1
        assert sender.counts == {"sent": 1, "dropped": 0, "waiting": 0, "failed_calls": 3}


async def test_batch_that_is_refused_is_counted_and_not_sent_again() -> None:
    functions = Functions(httpx.Response(400))
    async with sender_to(functions) as sender:
        sender.keep(told("a"))
        assert not await sender.send()
        sender.keep(told("b"))
        assert await sender.send()
        dropped, line = functions.lines()
        assert (dropped["event"], dropped["fields"]) == ("lines_dropped", {"dropped_count": 1})
        assert line["event"] == "b"


async def test_lines_beyond_the_bound_are_counted_while_nobody_answers() -> None:
    functions = Functions(*[httpx.ConnectError("no")] * 3)
    async with sender_to(functions) as sender:
        for number in range(QUEUE_LINES_MAX + 7):
            sender.keep(told("a", number=number))
        for _ in range(3):
            await sender.send()
        assert sender.counts["waiting"] == QUEUE_LINES_MAX
        assert sender.counts["dropped"] == 7
        await sender.flush()
        sent = [line for call in range(3, len(functions.calls)) for line in functions.lines(call)]
        told_count = sum(line["fields"].get("dropped_count", 0) for line in sent)
        assert told_count == 7
        numbers = [line["fields"]["number"] for line in sent if line["event"] == "a"]
        assert numbers == list(range(QUEUE_LINES_MAX))


async def test_running_sender_sends_by_itself_and_loses_nothing_when_it_is_ended() -> None:
    functions = Functions()
    async with sender_to(functions) as sender:
        running = asyncio.create_task(sender.run())
        sender.keep(told("a"))
        await asyncio.wait_for(functions.called.wait(), 10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        sender.keep(told("b"))
        await sender.flush()
        events = {
            line["event"] for call in range(len(functions.calls)) for line in functions.lines(call)
        }
        assert events == {"a", "b"}


async def test_batch_in_flight_when_it_is_ended_is_kept() -> None:
    started = asyncio.Event()

    async def never(_request: httpx.Request) -> httpx.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    sender = LogSender("http://f", SECRET, lambda: NOW_S, transport=httpx.MockTransport(never))
    sender.keep(told("a"))
    sending = asyncio.create_task(sender.send())
    await started.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert sender.counts["waiting"] == 1
    await sender.close()
