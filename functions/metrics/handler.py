"""GET /metrics: what this process has counted and timed, as Prometheus reads it.

For a caller with METRICS_TOKEN, or, without one, from this machine or its private network.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Unauthorized
from shared.scraping import check_scrape


class Metrics:
    """The function, over a registry."""

    def __init__(self, registry: CollectorRegistry, token: str) -> None:
        self._registry = registry
        self._token = token

    async def __call__(self, request: Request) -> Response:
        """Return the metrics. Raises: Unauthorized."""
        peer = request.client.host if request.client else ""
        refusal = check_scrape(self._token, request.headers, peer)
        if refusal is not None:
            raise Unauthorized(refusal, hint="docs/metrics.md says who may read /metrics")
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
