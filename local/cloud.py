"""What one local cloud is: its folder, ports, secrets, feed, and the addresses that follow.

Values only; `local/services.py` makes the parts from it, `local/run.py` and the tests fill it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.feeds import FeedChoice
from local.ports import HOST, Ports
from local.postgres import PostgresCluster
from local.secrets import Secrets
from local.settings import LocalSettings
from local.state import StateDir

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Everything a start depends on; the parts are made from it."""

    state: StateDir
    ports: Ports
    secrets: Secrets
    settings: LocalSettings
    feed: FeedChoice
    durable: bool = True
    """False (tests): Postgres does not wait for the disk."""
    with_samples: bool = True
    """Whether the demo account and its traders are made."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Overrides for the parts, such as UNIVERSE_SIZE or VENUE_SPEED."""

    @property
    def url(self) -> str:
        """Return the one URL of the dashboard."""
        return self.local_url(self.ports.gateway)

    @property
    def supabase_url(self) -> str:
        """Return the base URL of REST, auth, Realtime: the real project's, or the gateway."""
        return self.settings.supabase_url or self.url

    @property
    def publishable_key(self) -> str:
        return self.settings.supabase_publishable_key or self.secrets.publishable_key

    @property
    def secret_key(self) -> str:
        return self.settings.supabase_secret_key.get_secret_value() or self.secrets.secret_key

    @property
    def function_secret(self) -> str:
        return self.settings.function_secret.get_secret_value() or self.secrets.function_secret

    @property
    def functions_url(self) -> str:
        """Return where Postgres and the collector reach the functions: no gateway in between."""
        return self.local_url(self.ports.functions)

    def local_url(self, port: int) -> str:
        """Return the loopback URL of a port."""
        return f"http://{HOST}:{port}"

    @property
    def postgres(self) -> PostgresCluster:
        return PostgresCluster(
            self.state.root,
            self.ports.postgres,
            self.secrets.postgres_password,
            durable=self.durable,
        )

    @property
    def database_dsn(self) -> str:
        """Return the superuser's DSN: ours, the configured one's, or an empty text."""
        if self.settings.has_supabase:
            return self.settings.database_url.get_secret_value()
        return self.postgres.dsn
