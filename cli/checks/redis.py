"""Redis over REST: token, latency, whether frames may be evicted. Plain requests, no client.

A client would retry and hide what is asked about. Each run costs 7 commands of the quota.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import httpx

from cli.checks.check import Finding, fault, ok, skipped, warning
from cli.checks.ground import Ground, shown_host

PINGS = 5
# From here: another continent is 0.2 s away. What the collector itself sees is on its /metrics.
LATENCY_MS_WARN = 500.0
TOKEN = "copy UPSTASH_REDIS_REST_TOKEN from the database's page at console.upstash.com into .env"
TOKEN_HERE = "unset UPSTASH_REDIS_REST_TOKEN, and take it out of .env"


async def ask_redis(ground: Ground) -> Finding:
    """Send PING five times; judge token, answer and the median time."""
    url = ground.url("upstash_redis_rest_url")
    took_ms = []
    for _ in range(PINGS):
        began_s = time.monotonic()
        answer = await _command(ground, "PING")
        took_ms.append((time.monotonic() - began_s) * 1000)
        if answer.status_code != 200 or _result(answer) != "PONG":
            return judge_refusal(
                answer.status_code,
                _error(answer),
                shown_host(url),
                is_here=ground.is_here("upstash_redis_rest_url"),
            )
    return judge_latency(statistics.median(took_ms), shown_host(url))


def judge_refusal(status: int, error: str, host: str, *, is_here: bool = False) -> Finding:
    """Judge an answer that is not PONG."""
    found = f"{host} answered {status} {error}".strip()
    if status in (401, 403):
        return fault(found, TOKEN_HERE if is_here else TOKEN)
    if status == 429 or "limit" in error:
        return fault(found, "the quota is used up: see the database's page at console.upstash.com")
    return fault(found)


def judge_latency(median_ms: float, host: str) -> Finding:
    """Judge the time of a command."""
    found = f"{host} answers PING in {median_ms:.0f} ms (median of {PINGS})"
    if median_ms > LATENCY_MS_WARN:
        return warning(found, "put Redis, collector and functions into one region")
    return ok(found)


async def ask_eviction(ground: Ground) -> Finding:
    """Ask for the policy: by CONFIG where that is allowed, else by INFO."""
    answer = await _command(ground, "CONFIG", "GET", "maxmemory-policy")
    result = _result(answer)
    if isinstance(result, list) and len(result) == 2:
        return judge_eviction(str(result[1]))
    answer = await _command(ground, "INFO", "memory")
    return judge_eviction(policy_of(str(_result(answer) or "")))


def policy_of(info: str) -> str:
    """Return the policy that the text of INFO names, or an empty text."""
    lines = (line.partition(":") for line in info.splitlines())
    return next((value.strip() for name, _, value in lines if name == "maxmemory_policy"), "")


def judge_eviction(policy: str) -> Finding:
    """Judge the policy; empty: not told."""
    if not policy:
        return skipped("this Redis does not tell over REST: see Eviction at console.upstash.com")
    if policy == "noeviction":
        return ok("noeviction: frames stay until the collector trims them")
    return fault(f"{policy}: frames may vanish when the memory is full")


async def _command(ground: Ground, *words: str) -> httpx.Response:
    return await ground.request(
        "POST",
        ground.url("upstash_redis_rest_url"),
        json=list(words),
        headers={"Authorization": f"Bearer {ground.require('upstash_redis_rest_token')}"},
    )


def _fields(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _result(answer: httpx.Response) -> object:
    return _fields(answer).get("result")


def _error(answer: httpx.Response) -> str:
    return str(_fields(answer).get("error", ""))
