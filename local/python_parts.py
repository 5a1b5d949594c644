"""How a part of ours becomes a service: its command line, its environment, its health probe."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping

import httpx

from local.cloud import PROJECT, Cloud
from local.parts import Service


def python_service(
    cloud: Cloud,
    name: str,
    module: str,
    probe: Callable[[], Awaitable[bool]],
    env: Mapping[str, str],
    needs: tuple[str, ...] = (),
) -> Service:
    """Return a service that is `python -m module` with our environment."""
    return Service(
        name=name,
        command=(sys.executable, "-m", module),
        probe=probe,
        needs=needs,
        env=part_environment(cloud, env),
        cwd=PROJECT,
    )


def part_environment(cloud: Cloud, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a part of ours sees: the caller's environment, then ours, then overrides."""
    return {**os.environ, **env, **cloud.environment}


def answers(
    client: httpx.AsyncClient,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    any_status: bool = False,
) -> Callable[[], Awaitable[bool]]:
    """Return a probe: GET answers 200 (or at all)."""

    async def probe() -> bool:
        try:
            answer = await client.get(url, headers=headers)
        except httpx.HTTPError:
            return False
        return any_status or answer.status_code == 200

    return probe
