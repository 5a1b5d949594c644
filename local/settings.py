"""Settings of the local cloud itself: what is left out because the real thing is configured.

Where `SUPABASE_URL` or `UPSTASH_REDIS_REST_URL` is set (environment or `.env`), no stand-in for it
starts. The parts' own settings are in `shared/settings.py`; the supervisor passes them on.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigError
from shared.settings import CollectorSettings, unit

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")


class LocalSettings(BaseSettings):
    """What `make run` reads."""

    model_config = SettingsConfigDict(extra="ignore")

    supabase_url: str = Field(
        "",
        description="a real Supabase project; empty = stand-ins here",
        json_schema_extra=unit("URL"),
    )
    supabase_publishable_key: str = Field(
        "", description="its publishable key (sb_publishable_…)", json_schema_extra=unit("key")
    )
    supabase_secret_key: SecretStr = Field(
        SecretStr(""), description="its secret key", json_schema_extra=unit("secret")
    )
    supabase_jwt_secret: SecretStr = Field(
        SecretStr(""), description="its HS256 secret, if any", json_schema_extra=unit("secret")
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="its Postgres, for migrations; empty = migrated by hand",
        json_schema_extra=unit("secret"),
    )
    upstash_redis_rest_url: str = Field(
        "", description="a real Upstash; empty = stand-in here", json_schema_extra=unit("URL")
    )
    upstash_redis_rest_token: SecretStr = Field(
        SecretStr(""), description="its token", json_schema_extra=unit("secret")
    )
    function_secret: SecretStr = Field(
        SecretStr(""),
        description="secret that signs calls; empty = generated",
        json_schema_extra=unit("secret"),
    )
    binance_rest_url: str = Field(
        CollectorSettings.model_fields["binance_rest_url"].default,
        description="host of Binance's REST API, asked whether live data can be had",
        json_schema_extra=unit("URL"),
    )

    @property
    def has_supabase(self) -> bool:
        """Return whether a real project takes the place of the stand-ins."""
        return bool(self.supabase_url)

    @property
    def has_upstash(self) -> bool:
        """Return whether a real Upstash takes the place of Redis here."""
        return bool(self.upstash_redis_rest_url)

    @property
    def is_on_this_machine(self) -> bool:
        """Return whether accounts live here: a demo account has no place in a hosted project."""
        return not self.has_supabase or urlsplit(self.supabase_url).hostname in LOOPBACK_NAMES

    def check(self) -> LocalSettings:
        """Return itself. Raises: ConfigError naming what a configured service lacks."""
        wanted: dict[str, str | SecretStr] = {}
        if self.has_supabase:
            wanted["SUPABASE_PUBLISHABLE_KEY"] = self.supabase_publishable_key
            wanted["SUPABASE_SECRET_KEY"] = self.supabase_secret_key
            wanted["FUNCTION_SECRET"] = self.function_secret
        if self.has_upstash:
            wanted["UPSTASH_REDIS_REST_TOKEN"] = self.upstash_redis_rest_token
        for name, value in wanted.items():
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                url = "SUPABASE_URL" if name[0] in "SF" else "UPSTASH_REDIS_REST_URL"
                raise ConfigError(
                    f"expected {name} beside {url}, was not set",
                    hint=f"set {name} in .env, or empty {url} to run on this machine alone",
                )
        return self
