"""Signals at once: evaluates the last closed slots as soon as the collector has its history.

Runs beside the announced start. Without it the first signals would wait for the next close.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx
import msgspec

from local.cloud import Cloud
from local.logfiles import RotatingLog
from local.parts import wait_until
from local.seed import sign_in_demo
from shared.errors import ClosebellError
from shared.market.interval import Interval
from shared.signing import signed_headers

HISTORY_TIMEOUT_S = 900.0
"""Live history of 500 instruments comes at the venue's pace."""
TIMEOUT_S = 60.0


class _LastClose(msgspec.Struct):
    closed_at_ms: int | None = None


class _Health(msgspec.Struct):
    """What is read of the collector's /health."""

    last_close: dict[Interval, _LastClose]


class _TraderRow(msgspec.Struct):
    id: int
    venue: str
    interval: Interval
    enabled: bool


async def evaluate_last_slots(cloud: Cloud) -> None:
    """Run each enabled trader of the demo account on the newest slot that has its frame.

    What fails is logged and left to the next tick: it must not end the start.
    """
    if not cloud.with_samples:
        return
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            traders = [trader for trader in await _traders(client, cloud) if trader.enabled]
            for trader in sorted(traders, key=lambda trader: trader.interval.duration_ms):
                closed_at_ms = await _await_history(client, cloud, trader.interval)
                await _run_slot(client, cloud, trader, closed_at_ms)
    except (httpx.HTTPError, ClosebellError) as error:
        _note(cloud, f"first look failed: {type(error).__name__}: {error}")


async def _await_history(client: httpx.AsyncClient, cloud: Cloud, interval: Interval) -> int:
    """Wait for the interval's history; return when its newest kline closed, in ms.

    Raises: DeadlineExceeded.
    """
    newest_ms = 0

    async def has_history() -> bool:
        nonlocal newest_ms
        try:
            answer = await client.get(f"{cloud.local_url(cloud.ports.collector)}/health")
            health = msgspec.json.decode(answer.content, type=_Health)
        except (httpx.HTTPError, msgspec.DecodeError):
            return False
        close = health.last_close.get(interval)
        newest_ms = (close.closed_at_ms or 0) if close else 0
        return newest_ms > 0

    await wait_until(has_history, HISTORY_TIMEOUT_S, f"the collector to have {interval} history")
    return newest_ms


async def _traders(client: httpx.AsyncClient, cloud: Cloud) -> list[_TraderRow]:
    token, _ = await sign_in_demo(client, cloud)
    answer = await client.get(
        f"{cloud.supabase_url}/rest/v1/traders",
        params={"select": "id,venue,interval,enabled", "limit": "100"},
        headers={"apikey": cloud.publishable_key, "Authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=list[_TraderRow])


async def _run_slot(
    client: httpx.AsyncClient, cloud: Cloud, trader: _TraderRow, closed_at_ms: int
) -> None:
    body = msgspec.json.encode(
        {
            "venue": trader.venue,
            "interval": str(trader.interval),
            "closed_at_ms": closed_at_ms,
            "trader_id": trader.id,
        }
    )
    answer = await client.post(
        f"{cloud.functions_url}/trigger_executions",
        content=body,
        headers=signed_headers(cloud.function_secret, int(time.time()), body),
    )
    if answer.status_code != 200:
        _note(cloud, f"first look of trader {trader.id} was refused: {answer.text[:300]}")


def _note(cloud: Cloud, text: str) -> None:
    """Keep what went wrong in a log of our own; the next tick does what was left undone."""
    log = RotatingLog(cloud.state.logs / "first-look.log")
    log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n".encode())
    log.close()
