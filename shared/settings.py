"""Every setting of the deployed parts: name, unit, default. Read only by the wirings.

`.env.example` and docs/settings.md are generated from this module. A missing or impossible value
refuses the start and names the variable (`load_settings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import ConfigError
from shared.market.feed import Feed
from shared.market.interval import Interval


class RedisSettings(BaseSettings):
    """Where frames are kept: all that reading history needs."""

    model_config = SettingsConfigDict(extra="ignore")

    upstash_redis_rest_url: str = Field(description="Redis over REST, as Upstash shows it")
    upstash_redis_rest_token: SecretStr = Field(description="its token")


class StoreSettings(RedisSettings):
    """The same, and how our own parts call each other."""

    functions_url: str = Field(description="base URL of the functions, without a slash at the end")
    function_secret: SecretStr = Field(
        min_length=16, description="shared secret that signs calls to the functions"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="bearer token of /metrics; empty = private network only"
    )
    sentry_dsn: SecretStr = Field(
        SecretStr(""), description="where unexpected errors are reported; empty = nowhere"
    )


class CollectorSettings(StoreSettings):
    """The collector of one venue."""

    feed: Feed = Field(Feed.LIVE, description="label of the data: live, simulated or replay")
    binance_rest_url: str = Field(
        "https://data-api.binance.vision", description="host of Binance's REST API"
    )
    binance_stream_url: str = Field(
        "wss://data-stream.binance.vision", description="host of Binance's sockets"
    )
    universe_size: int = Field(500, ge=1, le=1000, description="instruments, by 24 h quote volume")
    universe_quote: str = Field("USDT", description="quote asset of the universe")
    universe_volume_min: float = Field(
        100_000, ge=0, description="24 h quote volume an instrument must have, in quote"
    )
    universe_symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="explicit instruments, separated by commas; replaces the ranking"
    )
    intervals: Annotated[tuple[Interval, ...], NoDecode] = Field(
        (Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.D1),
        description="kline intervals kept, separated by commas; 1m is always there",
    )
    history_bars: int = Field(600, ge=502, le=1000, description="bars kept per interval")
    close_grace_s: float = Field(
        2.0, ge=0, le=30, description="wait for close events after the minute, in seconds"
    )
    close_fetch_s: float = Field(
        1.0, ge=0, le=30, description="wait before REST is asked for missing closes, in seconds"
    )
    stall_timeout_s: float = Field(
        30.0, ge=5, description="a socket without data for this long is dead, in seconds"
    )
    reconnect_after_s: float = Field(
        23 * 3600.0, ge=60, description="planned reconnect before the venue's 24 h, in seconds"
    )
    streams_per_connection: int = Field(200, ge=1, le=1024, description="kline streams a socket")
    commands_per_month_max: int = Field(
        500_000, ge=1, description="Redis commands a month the configuration may need"
    )
    collector_host: str = Field("0.0.0.0", description="address of /health and /metrics")
    collector_port: int = Field(8080, ge=1, le=65535, description="port of /health and /metrics")
    record_dir: str = Field("", description="folder for raw frames; empty records nothing")
    venue_time_speed: float = Field(
        1.0, gt=0, le=3600, description="seconds of venue time per second (simulated venue only)"
    )

    @field_validator("universe_symbols", "intervals", mode="before")
    @classmethod
    def split_commas(cls, value: object) -> object:
        """Accept `1m,5m` as well as a sequence."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class FunctionsSettings(StoreSettings):
    """The stateless functions."""

    supabase_url: str = Field(description="base URL of the Supabase project")
    supabase_secret_key: SecretStr = Field(description="its secret key (sb_secret_…): service role")
    supabase_jwt_secret: SecretStr = Field(
        SecretStr(""), description="HS256 secret of user tokens; empty = the project's JWKS"
    )
    dashboard_origin: str = Field("", description="origin that may call save_trader; empty = same")
    frame_wait_s: float = Field(
        3.0, ge=0, le=20, description="wait for the frame of a slot that just closed, in seconds"
    )
    request_timeout_s: float = Field(
        25.0, gt=0, le=60, description="time a request may take in all, in seconds"
    )
    usage_report_s: float = Field(
        60.0, ge=1, le=3600, description="what was used is reported at most this often, in seconds"
    )
    # What one rule may ask for; the defaults are those of shared.rules.RuleLimits.
    rule_text_characters_max: int = Field(
        2_000, ge=1, le=20_000, description="characters of a rule"
    )
    rule_depth_max: int = Field(
        32, ge=1, le=64, description="levels of brackets and of nesting in a rule"
    )
    rule_nodes_max: int = Field(
        200, ge=1, le=2_000, description="parts of a rule: names, numbers, operators, calls"
    )
    rule_window_bars_max: int = Field(
        500, ge=2, le=500, description="bars that a rule may look back"
    )
    rule_instruments_max: int = Field(
        8, ge=0, le=50, description='instruments that a rule may name, as in of("BTCUSDT", close)'
    )
    rule_intervals_max: int = Field(
        8, ge=0, le=12, description='other intervals that a rule may read, as in close(tf="4h")'
    )


class OperatorSettings(BaseSettings):
    """What `closebell` on an operator's machine reaches; each command asks for what it needs.

    All empty by default: `require` names the one that is missing, and what sets it.
    """

    model_config = SettingsConfigDict(extra="ignore")

    database_url: SecretStr = Field(
        SecretStr(""), description="Postgres as its owner (postgresql://…), for schedules and logs"
    )
    supabase_url: str = Field("", description="base URL of the Supabase project")
    supabase_publishable_key: str = Field("", description="its publishable key")
    supabase_secret_key: SecretStr = Field(SecretStr(""), description="its secret key")
    upstash_redis_rest_url: str = Field("", description="Redis over REST, as Upstash shows it")
    upstash_redis_rest_token: SecretStr = Field(SecretStr(""), description="its token")
    functions_url: str = Field("", description="base URL of the functions")
    function_secret: SecretStr = Field(SecretStr(""), description="secret that signs calls")
    collector_url: str = Field("", description="base URL of the collector's /health and /metrics")
    dashboard_url: str = Field("", description="URL of the dashboard")

    def require(self, name: str) -> str:
        """Return a setting's value. Raises: ConfigError naming it where it is empty."""
        value: str | SecretStr = getattr(self, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not text:
            raise ConfigError(
                f"expected {name.upper()}, was not set",
                hint=f"start the local cloud with `make run`, or set {name.upper()} in .env",
            )
        return text


class BackupSettings(BaseSettings):
    """Where `closebell backup` writes when it is not told, and the keys of a bucket."""

    model_config = SettingsConfigDict(extra="ignore")

    backup_target: str = Field(
        "", description="folder or s3://bucket/prefix of `closebell backup` without a target"
    )
    backup_s3_endpoint: str = Field(
        "", description="URL of an S3-compatible service; empty = Amazon's"
    )
    backup_s3_region: str = Field("", description="its region; empty = us-east-1")
    backup_s3_access_key_id: str = Field("", description="its key id; may write, list, delete")
    backup_s3_secret_access_key: SecretStr = Field(SecretStr(""), description="its secret key")


S = TypeVar("S", bound=BaseSettings)


def load_settings(kind: type[S], env_files: Sequence[str | Path] = (".env",)) -> S:
    """Return the settings from the environment and the files that exist, of which the last wins.

    Raises: ConfigError naming each variable that is missing or impossible.
    """
    try:
        return kind(_env_file=tuple(env_files))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(
            f"expected valid settings, was {problems}",
            hint="set them in the environment or in .env; .env.example lists them all",
        ) from error
