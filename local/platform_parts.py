"""The platform's parts: what a hosted project has from Supabase and Upstash, here beside us.

Real Postgres and Redis, and the stand-ins in front of them. Each half is left out where the real
thing is configured. Our own parts are in `local/services.py`.
"""

from __future__ import annotations

import httpx

from local import database
from local.cloud import PROJECT, Cloud
from local.parts import Part, Service, Step
from local.ports import HOST
from local.postgres import STOP_SIGNAL
from local.python_parts import answers, python_service
from local.redis_server import RedisServer


def supabase_parts(cloud: Cloud, client: httpx.AsyncClient) -> list[Part]:
    postgres, ports, secrets = cloud.postgres, cloud.ports, cloud.secrets
    lite_dsn = (
        f"postgresql://closebell_lite:{secrets.rest_password}@{HOST}:{ports.postgres}/postgres"
    )
    rest_url = cloud.local_url(ports.rest)

    async def prepare() -> None:
        await postgres.create()
        await postgres.clear_leftovers()

    return [
        Service(
            name="postgres",
            command=postgres.command,
            probe=postgres.answers,
            prepare=prepare,
            cwd=cloud.state.root,
            env={"LC_ALL": "C.UTF-8"},
            user=postgres.user,
            stop_signal=STOP_SIGNAL,
        ),
        *database_steps(cloud, needs=("postgres",)),
        python_service(
            cloud,
            "rest",
            "local.lite",
            answers(client, f"{rest_url}/auth/v1/health", {"apikey": secrets.publishable_key}),
            {
                "LISTEN_PORT": str(ports.rest),
                "POSTGRES_DSN": lite_dsn,
                "SUPABASE_JWT_SECRET": secrets.jwt_secret,
                "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
                "SUPABASE_SECRET_KEY": secrets.secret_key,
                "SUPABASE_URL": cloud.url,
            },
            needs=("database",),
        ),
        python_service(
            cloud,
            "realtime",
            "local.realtime",
            answers(client, f"{cloud.local_url(ports.realtime)}/health"),
            {
                "LISTEN_PORT": str(ports.realtime),
                "POSTGRES_DSN": postgres.dsn,
                "SUPABASE_JWT_SECRET": secrets.jwt_secret,
                "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
                "SUPABASE_SECRET_KEY": secrets.secret_key,
            },
            needs=("database",),
        ),
        python_service(
            cloud,
            "requests",
            "local.request_worker",
            answers(client, f"{cloud.local_url(ports.requests)}/health"),
            {"LISTEN_PORT": str(ports.requests), "POSTGRES_DSN": postgres.dsn},
            needs=("database",),
        ),
    ]


def database_steps(cloud: Cloud, needs: tuple[str, ...]) -> list[Part]:
    """Return what brings the schema first, and the timetable when somebody can do its calls."""
    dsn = cloud.database_dsn

    async def migrate() -> None:
        if not cloud.settings.has_supabase:
            await database.apply_platform(
                dsn, PROJECT / "local" / "sql", cloud.secrets.rest_password
            )
        await database.migrate_database(dsn)
        if cloud.settings.is_on_this_machine:
            await database.set_addresses(dsn, cloud.functions_url, cloud.function_secret)

    return [
        Step(name="database", action=migrate, needs=needs),
        Step(
            name="schedules",
            action=lambda: database.start_schedules(dsn),
            needs=("database", "requests", "rest", "functions", "upstash"),
        ),
    ]


def redis_parts(cloud: Cloud, client: httpx.AsyncClient) -> list[Part]:
    server = RedisServer(cloud.state.root, cloud.ports.redis)
    return [
        Service(
            name="redis",
            command=server.command,
            probe=server.answers,
            prepare=server.create,
            cwd=cloud.state.root,
        ),
        python_service(
            cloud,
            "upstash",
            "local.upstash_door",
            answers(client, f"{cloud.local_url(cloud.ports.upstash)}/health"),
            {
                "LISTEN_PORT": str(cloud.ports.upstash),
                "REDIS_URL": f"redis://{HOST}:{cloud.ports.redis}",
                "UPSTASH_REDIS_REST_TOKEN": cloud.secrets.redis_token,
            },
            # Not "redis": it says so itself while Redis is not there yet.
            needs=(),
        ),
    ]
