"""/health and /metrics of the collector. Edge: starlette, no decisions.

Metrics are read from the same Status as /health when they are asked for, so they cannot differ.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class StatusMetrics:
    """A Prometheus collector over Status."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; called by prometheus_client at each scrape."""
        status = self._status
        session = status.session
        closer = session.closer if session else None
        yield _gauge("fresh", "1 while the newest minute is stored", float(status.is_fresh))
        ages = GaugeMetricFamily(
            "closebell_close_age_seconds", "age of the newest stored slot", labels=["interval"]
        )
        for interval in status.intervals:
            age_s = status.age_of_close_s(interval)
            if age_s is not None:
                ages.add_metric([str(interval)], age_s)
        yield ages
        behind = len(closer.symbols_behind) if closer else 0
        yield _gauge("gaps", "trading symbols with a due minute missing", behind)
        yield _gauge("halted", "symbols that do not trade", closer.halted_count if closer else 0)
        yield _gauge("pending_frames", "frames waiting for Redis", status.publisher.pending_count)
        for percentile in (50, 99):
            latency_ms = status.latency_ms(percentile)
            if latency_ms is not None:
                name = f"redis_write_p{percentile}_ms"
                yield _gauge(name, "frame write latency over the last 500 writes", latency_ms)
        per_month = status.commands_per_month(time.monotonic())
        if per_month is not None:
            yield _gauge("redis_commands_per_month", "projection since live", per_month)
        yield _gauge("redis_commands_per_month_planned", "by arithmetic", status.budget.total)
        yield _gauge("rest_used_weight", "weight used this minute", status.rest.gate.used_weight)
        yield _gauge("clock_offset_ms", "venue minus this machine", status.clock.offset_ms)
        yield from self._counters()

    def _counters(self) -> Iterator[Metric]:
        status = self._status
        session = status.session
        closer = session.closer if session else None
        yield _counter("redis_commands", "command", status.meter.commands)
        traffic = status.meter.traffic
        bytes_by_direction = {"sent": traffic.bytes_sent, "received": traffic.bytes_received}
        yield _counter("redis_bytes", "direction", bytes_by_direction)
        yield _counter("malformed", "kind", status.malformed.counts)
        yield _counter("pokes", "outcome", status.poker.counts)
        yield _counter("closes", "kind", closer.counts if closer else {})
        endings: dict[str, int] = {}
        for group in session.groups if session else []:
            for ending, count in group.endings.items():
                endings[str(ending)] = endings.get(str(ending), 0) + count
        yield _counter("stream_endings", "ending", endings)
        published = {str(status.feed): status.publisher.published_count}
        yield _counter("frames_published", "feed", published)
        yield _counter("redis_failures", "part", {"publish": status.publisher.failures_count})
        yield _counter("rest_refusals", "venue", {status.venue: status.rest.gate.refused_count})


def build_app(status: Status) -> Starlette:
    """Return the collector's HTTP application."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusMetrics(status))

    async def health(_request: Request) -> JSONResponse:
        report = status.report(time.monotonic())
        return JSONResponse(report, status_code=200 if status.is_fresh else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"closebell_{name}", text, value=value)


def _counter(name: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"closebell_{name}", f"{name} by {label}", labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
