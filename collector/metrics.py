"""/health and /metrics of the collector. Edge: starlette, no decisions.

Metrics are read from the same Status as /health when they are asked for, so they cannot differ.
docs/metrics.md lists them; who may read them is decided in shared/scraping.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.status import Status
from shared.scraping import check_scrape

QUANTILES = (0.5, 0.95, 0.99)


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
        writes = GaugeMetricFamily(
            "closebell_frame_write_seconds",
            "time of the last 500 single frames, packing included",
            labels=["quantile"],
        )
        for quantile in QUANTILES:
            latency_ms = status.latency_ms(100 * quantile)
            if latency_ms is not None:
                writes.add_metric([str(quantile)], latency_ms / 1000)
        yield writes
        months = GaugeMetricFamily(
            "closebell_redis_commands_per_month",
            "measured since live, planned by arithmetic, and the most that is allowed",
            labels=["kind"],
        )
        per_month = status.commands_per_month(time.monotonic())
        if per_month is not None:
            months.add_metric(["measured"], per_month)
        months.add_metric(["planned"], status.budget.total)
        months.add_metric(["max"], status.budget.limit)
        yield months
        yield _gauge("rest_used_weight", "weight used this minute", status.rest.gate.used_weight)
        yield _gauge("rest_weight_max", "weight a minute", status.rest.gate.weight_limit)
        offset_s = status.clock.offset_ms / 1000
        yield _gauge("clock_offset_seconds", "venue minus this machine", offset_s)
        yield from self._streams()
        yield from self._counters()

    def _streams(self) -> Iterator[Metric]:
        groups = self._status.session.groups if self._status.session else []
        ages = GaugeMetricFamily(
            "closebell_stream_age_seconds", "time since a socket sent data", labels=["stream"]
        )
        connected = GaugeMetricFamily(
            "closebell_stream_connected", "1 while a socket is open and talks", labels=["stream"]
        )
        for group in groups:
            if group.age_of_data_s is not None:
                ages.add_metric([group.name], group.age_of_data_s)
            connected.add_metric([group.name], float(group.is_connected))
        yield ages
        yield connected
        connections = {group.name: group.connections_count for group in groups}
        yield _counter("stream_connections", "stream", connections)

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
        lines = status.sender.counts
        yield _counter("log_lines", "outcome", {key: lines[key] for key in ("sent", "dropped")})
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
        yield _counter("sessions", "venue", {status.venue: status.sessions_count})


def build_app(status: Status, metrics_token: str = "") -> Starlette:
    """Return the collector's HTTP application; `metrics_token`: METRICS_TOKEN."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusMetrics(status))
    ProcessCollector(registry=registry)

    async def health(_request: Request) -> JSONResponse:
        report = status.report(time.monotonic())
        return JSONResponse(report, status_code=200 if status.is_fresh else 503)

    async def metrics(request: Request) -> Response:
        peer = request.client.host if request.client else ""
        refusal = check_scrape(metrics_token, request.headers, peer)
        if refusal is not None:
            return JSONResponse({"error": {"code": "Unauthorized", "message": refusal}}, 401)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"closebell_{name}", text, value=value)


def _counter(name: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"closebell_{name}", f"{name} by {label}", labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
