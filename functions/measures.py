"""What the functions count and time for Prometheus: docs/metrics.md lists it all.

One process, one registry: functions-framework serves all functions from one process, and each
instance is scraped by itself. Every label has a handful of values (a function's name, a status, a
stage), never a user, a trader or an instrument. Not here: who may read it (metrics/handler.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from functions import VERSION
from functions.router import Router, function_name
from shared.runs import Emitted, Outcome

# From what a warm stage takes to what ends in a timeout, in seconds.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
VERDICTS = ("true", "false", "unknown")

Counts = Callable[[], Mapping[str, float]]


class Measures:
    """Counts what is reported to it; reads what the parts themselves count (`watch`)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        registry = self.registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"closebell_{name}", text, labels, registry=registry)

        def seconds(name: str, text: str, label: str) -> Histogram:
            name = f"closebell_{name}_seconds"
            return Histogram(name, text, (label,), buckets=BUCKETS_S, registry=registry)

        self._requests = counter(
            "requests", "requests by function and HTTP status", "function", "status"
        )
        self._request_seconds = seconds("request", "time until a reply begins", "function")
        self._in_progress = Gauge(
            "closebell_requests_in_progress", "requests being answered", registry=registry
        )
        self._stage_seconds = seconds("stage", "time of the stages of a run", "stage")
        self._runs = counter("runs", "executions of runs by what became of them", "status")
        self._late_runs = counter("late_runs", "runs whose signals were labelled late")
        self._traders = counter("traders_evaluated", "traders evaluated, once a run")
        self._trader_errors = counter("trader_errors", "traders whose rule failed in a run")
        self._verdicts = counter("verdicts", "verdicts of distinct rules on instruments", "verdict")
        self._signals = counter("signals", "matches by what became of them", "outcome")
        build = Gauge("closebell_build_info", "1, of this release", ("version",), registry=registry)
        build.labels(VERSION).set(1)
        ProcessCollector(registry=registry)

    def watch(
        self,
        *,
        redis_commands: Counts,
        redis_bytes: Counts,
        window_loads: Counts,
        rate_limited: Counts,
        log_lines_dropped: Counts,
        waiting: Counts,
    ) -> None:
        """Read these at each scrape; `waiting` are lengths of queues now, the others only grow."""
        self.registry.register(
            _Watched(
                counters=(
                    ("redis_commands", "commands sent to Redis", "command", redis_commands),
                    ("redis_bytes", "bytes to and from Redis", "direction", redis_bytes),
                    (
                        "window_loads",
                        "windows read, warm or cold",
                        "kind",
                        window_loads,
                    ),
                    ("rate_limited", "requests over a user's rate", "limit", rate_limited),
                    ("log_lines_dropped", "log lines not stored", "place", log_lines_dropped),
                ),
                waiting=waiting,
            )
        )

    def stage(self, name: str, elapsed_s: float) -> None:
        """Time a stage that is no part of a run's own stages."""
        self._stage_seconds.labels(name).observe(elapsed_s)

    def run(self, status: str) -> None:
        """Count an execution that stored nothing."""
        self._runs.labels(status).inc()

    def finished_run(self, outcome: Outcome, emitted: Emitted, stats: Mapping[str, float]) -> None:
        """Count an execution that stored its outcome; `stats`: `<stage>_ms`."""
        self._runs.labels("finished").inc()
        self._late_runs.inc(outcome.late)
        for name, elapsed_ms in stats.items():
            if name.endswith("_ms"):
                self.stage(name.removesuffix("_ms"), elapsed_ms / 1000)
        self._traders.inc(outcome.traders_count)
        self._trader_errors.inc(len(outcome.errors))
        for verdict in VERDICTS:
            self._verdicts.labels(verdict).inc(outcome.stats.get(f"{verdict}_count", 0))
        for name in Emitted.__struct_fields__:
            self._signals.labels(name).inc(getattr(emitted, name))

    def router(self, router: Router) -> Callable[[Request], Awaitable[Response]]:
        """Return a router that counts and times what this one answers."""

        async def answer(request: Request) -> Response:
            name = function_name(request.url.path)
            label = name if router.knows(name) else "unknown"
            started = perf_counter()
            with self._in_progress.track_inprogress():
                response = await router(request)
            self._requests.labels(label, str(response.status_code)).inc()
            self._request_seconds.labels(label).observe(perf_counter() - started)
            return response

        return answer


class _Watched:
    """Families read from the living parts at each scrape."""

    def __init__(self, counters: tuple[tuple[str, str, str, Counts], ...], waiting: Counts) -> None:
        self._counters = counters
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Yield every family, also while it has no sample."""
        for name, text, label, counts in self._counters:
            family = CounterMetricFamily(f"closebell_{name}", text, labels=[label])
            for key, count in counts().items():
                family.add_metric([key], count)
            yield family
        queues = GaugeMetricFamily("closebell_waiting", "what waits in a queue", labels=["queue"])
        for queue, length in self._waiting().items():
            queues.add_metric([queue], length)
        yield queues
