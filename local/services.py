"""The table of the local cloud: each part, its command, its environment, and what it needs.

Reading it from top to bottom is reading the order of a start. Not here: keeping the parts alive
(`local/supervisor.py`), choosing ports and feed (`local/run.py`).
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec

from local import first_look, seed
from local.cloud import PROJECT, Cloud
from local.parts import Part, Service, Step
from local.platform_parts import database_steps, redis_parts, supabase_parts
from local.ports import HOST
from local.python_parts import answers, python_service
from local.secrets import DEMO_EMAIL
from shared.market.frame import Feed

PROBE_TIMEOUT_S = 4.0


def probe_client() -> httpx.AsyncClient:
    """Return the client that the parts' probes share; whoever runs the parts closes it."""
    return httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False)


def build_parts(cloud: Cloud, client: httpx.AsyncClient) -> list[Part]:
    """Return every part that this configuration needs, in the order of a start."""
    parts: list[Part] = []
    if not cloud.settings.has_supabase:
        parts += supabase_parts(cloud, client)
    elif cloud.database_dsn:
        parts += database_steps(cloud, needs=())
    if not cloud.settings.has_upstash:
        parts += redis_parts(cloud, client)
    present = {part.name for part in parts}
    parts += _our_parts(cloud, client)
    # What the real services do needs no waiting here.
    names = present | {part.name for part in parts}
    return [_without_needs(part, names) for part in parts]


def select_parts(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    """Return the named parts and everything they need, in the given order of `parts`."""
    by_name = {part.name: part for part in parts}
    wanted: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo.extend(by_name[name].needs)
    return [part for part in parts if part.name in wanted]


def service_ports(cloud: Cloud, parts: Sequence[Part]) -> dict[str, int]:
    """Return the port of each part that listens."""
    ports = cloud.ports
    listening = {
        "gateway": ports.gateway,
        "postgres": ports.postgres,
        "redis": ports.redis,
        "upstash": ports.upstash,
        "rest": ports.rest,
        "realtime": ports.realtime,
        "functions": ports.functions,
        "collector": ports.collector,
        "venue": ports.venue,
        "requests": ports.requests,
    }
    names = {part.name for part in parts}
    return {name: port for name, port in listening.items() if name in names}


def venue_addresses(cloud: Cloud) -> dict[str, str]:
    """Return the settings that point at the simulated or replayed venue here."""
    return {
        "BINANCE_REST_URL": cloud.local_url(cloud.ports.venue),
        "BINANCE_STREAM_URL": f"ws://{HOST}:{cloud.ports.venue}",
    }


def _our_parts(cloud: Cloud, client: httpx.AsyncClient) -> list[Part]:
    ports = cloud.ports
    store = {
        "UPSTASH_REDIS_REST_URL": cloud.settings.upstash_redis_rest_url
        or cloud.local_url(ports.upstash),
        "UPSTASH_REDIS_REST_TOKEN": cloud.settings.upstash_redis_rest_token.get_secret_value()
        or cloud.secrets.redis_token,
        "FUNCTIONS_URL": cloud.functions_url,
        "FUNCTION_SECRET": cloud.function_secret,
        "FEED": str(cloud.feed.feed),
    }
    supabase = {
        "SUPABASE_URL": cloud.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": cloud.publishable_key,
        "SUPABASE_SECRET_KEY": cloud.secret_key,
        "SUPABASE_JWT_SECRET": cloud.settings.supabase_jwt_secret.get_secret_value()
        if cloud.settings.has_supabase
        else cloud.secrets.jwt_secret,
        "DASHBOARD_ORIGIN": cloud.url,
    }
    parts: list[Part] = [
        Service(
            name="functions",
            command=(
                str(Path(sys.executable).with_name("functions-framework")),
                *("--target", "main", "--source", "functions/main.py", "--asgi"),
                *("--host", HOST, "--port", str(ports.functions)),
            ),
            env={
                **os.environ,
                **store,
                **supabase,
                "PYTHONPATH": str(PROJECT),
                **cloud.environment,
            },
            cwd=PROJECT,
            probe=answers(client, f"{cloud.functions_url}/health"),
        ),
        python_service(
            cloud,
            "gateway",
            "local.gateway",
            answers(client, f"{cloud.url}/config.json"),
            {
                "LISTEN_PORT": str(ports.gateway),
                "LITE_URL": cloud.settings.supabase_url or cloud.local_url(ports.rest),
                "REALTIME_URL": cloud.settings.supabase_url or cloud.local_url(ports.realtime),
                "FUNCTIONS_URL_INTERNAL": cloud.functions_url,
                "DASHBOARD_DIST": str(PROJECT / "dashboard" / "dist"),
                "CONFIG_JSON": _dashboard_config(cloud),
            },
        ),
    ]
    venue: dict[str, str] = {}
    if cloud.feed.feed is not Feed.LIVE:
        venue = venue_addresses(cloud)
        parts.append(_venue_part(cloud, client))
    parts.append(
        python_service(
            cloud,
            "collector",
            "collector.run",
            answers(client, f"{cloud.local_url(ports.collector)}/health", any_status=True),
            {**store, **venue, "COLLECTOR_HOST": HOST, "COLLECTOR_PORT": str(ports.collector)},
            needs=("upstash", "redis", *(("venue",) if venue else ())),
        )
    )
    if cloud.with_samples:
        parts.append(
            Step(
                name="samples",
                action=lambda: seed.make_samples(cloud),
                needs=("database", "rest", "functions", "gateway"),
            )
        )
    parts.append(
        Step(
            name="first look",
            action=lambda: first_look.evaluate_last_slots(cloud),
            needs=("samples", "requests", "collector"),
            in_background=True,
        )
    )
    return parts


def _dashboard_config(cloud: Cloud) -> str:
    """Return the text of /config.json: where the dashboard finds everything, and what it shows."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    demo = {"email": DEMO_EMAIL, "password": cloud.secrets.demo_password}
    config = {
        "supabase_url": cloud.supabase_url,
        "publishable_key": cloud.publishable_key,
        "functions_url": f"{cloud.url}/functions/v1",
        "feed": str(cloud.feed.feed),
        "version": version,
        "demo": demo if cloud.with_samples else None,
    }
    return msgspec.json.encode(config).decode()


def _venue_part(cloud: Cloud, client: httpx.AsyncClient) -> Service:
    url = cloud.local_url(cloud.ports.venue)
    return python_service(
        cloud,
        "venue",
        "local.venue.server",
        answers(client, f"{url}/api/v3/ping"),
        {
            "VENUE_PORT": str(cloud.ports.venue),
            "VENUE_HOST": HOST,
            "VENUE_MARKET": cloud.feed.argument,
            "VENUE_STATE_DIR": str(cloud.state.root / "venue"),
        },
    )


def _without_needs(part: Part, names: set[str]) -> Part:
    """Return the part without needs that nothing here provides."""
    return replace(part, needs=tuple(need for need in part.needs if need in names))
