"""One private Postgres with the platform's SQL, and one private Redis, a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.standin_servers import (
    PostgresServer,
    RedisServer,
    run_postgres,
    run_redis,
)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A cluster with roles, auth, net and realtime; no migration of ours."""
    with run_postgres() as server:
        server.apply()
        server.set_lite_password()
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis with its append-only file on."""
    with run_redis() as server:
        yield server
