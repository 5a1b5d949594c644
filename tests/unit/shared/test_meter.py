"""TrafficMeter: the bytes of bodies, as they were on the wire."""

from __future__ import annotations

import gzip

import httpx
import pytest

from shared.store.meter import TrafficMeter

REPLY = b"a reply that is read " * 50


async def test_bodies_are_counted_in_both_directions_as_sent() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/packed":
            return httpx.Response(
                200, headers={"content-encoding": "gzip"}, stream=Body(gzip.compress(REPLY))
            )
        return httpx.Response(200, stream=Body(REPLY))

    meter = TrafficMeter()
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, event_hooks=meter.hooks) as http:
        reply = await http.post("http://redis/", json=["PING"])
        assert reply.content == REPLY
        assert (meter.bytes_sent, meter.bytes_received) == (len(b'["PING"]'), len(REPLY))
        assert (await http.get("http://redis/packed")).content == REPLY
    packed = len(gzip.compress(REPLY))
    assert packed < len(REPLY)
    assert meter.total == len(b'["PING"]') + len(REPLY) + packed


async def test_request_without_an_answer_counts_what_was_sent() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    meter = TrafficMeter()
    transport = httpx.MockTransport(refuse)
    async with httpx.AsyncClient(transport=transport, event_hooks=meter.hooks) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("http://redis/", content=b"12345")
    assert (meter.bytes_sent, meter.bytes_received) == (5, 0)


class Body(httpx.AsyncByteStream):
    """A body that arrives over the wire."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    # An asynchronous generator, as httpx wants it; its type would say less.
    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._content[:10]
        yield self._content[10:]
