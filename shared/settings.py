"""Every setting of every part: name, unit, default, and where it is set. Read only by the wirings.

`.env.example` and docs/settings.md are generated from this module (`python -m docs.settings`). A
missing or impossible value refuses the start and names the variable, and so does a name in `.env`
that no part knows (`load_settings`); names in the environment are not ours to judge.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import ConfigError
from shared.market.feed import Feed
from shared.market.interval import Interval


def unit(name: str) -> JsonDict:
    """Return what a field carries beside its type: the unit of its value, in a word."""
    return {"unit": name}


class RedisSettings(BaseSettings):
    """Where frames are kept: all that reading history needs."""

    model_config = SettingsConfigDict(extra="ignore")

    upstash_redis_rest_url: str = Field(
        description="Redis over REST, as Upstash shows it", json_schema_extra=unit("URL")
    )
    upstash_redis_rest_token: SecretStr = Field(
        description="its token", json_schema_extra=unit("secret")
    )


class StoreSettings(RedisSettings):
    """The same, and how our own parts call each other."""

    functions_url: str = Field(
        description="base URL of the functions, without a slash at the end",
        json_schema_extra=unit("URL"),
    )
    function_secret: SecretStr = Field(
        min_length=16,
        description="shared secret that signs calls to the functions",
        json_schema_extra=unit("secret"),
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="bearer token of /metrics; empty = private network only",
        json_schema_extra=unit("secret"),
    )
    sentry_dsn: SecretStr = Field(
        SecretStr(""),
        description="where unexpected errors are reported; empty = nowhere",
        json_schema_extra=unit("URL"),
    )


class CollectorSettings(StoreSettings):
    """The collector of one venue."""

    feed: Feed = Field(
        Feed.LIVE,
        description="label of the data: live, simulated or replay",
        json_schema_extra=unit("word"),
    )
    binance_rest_url: str = Field(
        "https://data-api.binance.vision",
        description="host of Binance's REST API",
        json_schema_extra=unit("URL"),
    )
    binance_stream_url: str = Field(
        "wss://data-stream.binance.vision",
        description="host of Binance's sockets",
        json_schema_extra=unit("URL"),
    )
    universe_size: int = Field(
        500,
        ge=1,
        le=1000,
        description="instruments, by 24 h quote volume",
        json_schema_extra=unit("count"),
    )
    universe_quote: str = Field(
        "USDT", description="quote asset of the universe", json_schema_extra=unit("asset")
    )
    universe_volume_min: float = Field(
        100_000,
        ge=0,
        description="24 h quote volume an instrument must have, in quote",
        json_schema_extra=unit("quote a day"),
    )
    universe_symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="explicit instruments, separated by commas; replaces the ranking",
        json_schema_extra=unit("symbols"),
    )
    intervals: Annotated[tuple[Interval, ...], NoDecode] = Field(
        (Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.D1),
        description="kline intervals kept, separated by commas; 1m is always there",
        json_schema_extra=unit("intervals"),
    )
    history_bars: int = Field(
        600, ge=502, le=1000, description="bars kept per interval", json_schema_extra=unit("bars")
    )
    close_grace_s: float = Field(
        2.0,
        ge=0,
        le=30,
        description="wait for close events after the minute",
        json_schema_extra=unit("s"),
    )
    close_fetch_s: float = Field(
        1.0,
        ge=0,
        le=30,
        description="wait before REST is asked for missing closes",
        json_schema_extra=unit("s"),
    )
    stall_timeout_s: float = Field(
        30.0,
        ge=5,
        description="a socket without data for this long is dead",
        json_schema_extra=unit("s"),
    )
    reconnect_after_s: float = Field(
        23 * 3600.0,
        ge=60,
        description="planned reconnect before the venue's 24 h",
        json_schema_extra=unit("s"),
    )
    streams_per_connection: int = Field(
        200, ge=1, le=1024, description="kline streams a socket", json_schema_extra=unit("count")
    )
    commands_per_month_max: int = Field(
        500_000,
        ge=1,
        description="Redis commands a month the configuration may need",
        json_schema_extra=unit("count a month"),
    )
    collector_host: str = Field(
        "0.0.0.0",
        description="address of /health and /metrics; empty = every one, IPv6 too",
        json_schema_extra=unit("address"),
    )
    collector_port: int = Field(
        8080,
        ge=1,
        le=65535,
        description="port of /health and /metrics",
        json_schema_extra=unit("port"),
    )
    record_dir: str = Field(
        "",
        description="folder for raw frames; empty records nothing",
        json_schema_extra=unit("folder"),
    )
    venue_time_speed: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="seconds of venue time per second (simulated venue only)",
        json_schema_extra=unit("factor"),
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

    supabase_url: str = Field(
        description="base URL of the Supabase project", json_schema_extra=unit("URL")
    )
    supabase_secret_key: SecretStr = Field(
        description="its secret key (sb_secret_…): service role", json_schema_extra=unit("secret")
    )
    supabase_jwt_secret: SecretStr = Field(
        SecretStr(""),
        description="HS256 secret of user tokens; empty = the project's JWKS",
        json_schema_extra=unit("secret"),
    )
    dashboard_origin: str = Field(
        "",
        description="origin that may call save_trader; empty = same",
        json_schema_extra=unit("URL"),
    )
    frame_wait_s: float = Field(
        3.0,
        ge=0,
        le=20,
        description="wait for the frame of a slot that just closed",
        json_schema_extra=unit("s"),
    )
    request_timeout_s: float = Field(
        25.0, gt=0, le=60, description="time a request may take in all", json_schema_extra=unit("s")
    )
    usage_report_s: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="what was used is reported at most this often",
        json_schema_extra=unit("s"),
    )
    # What one rule may ask for; the defaults are those of shared.rules.RuleLimits.
    rule_text_characters_max: int = Field(
        2_000,
        ge=1,
        le=20_000,
        description="characters of a rule",
        json_schema_extra=unit("characters"),
    )
    rule_depth_max: int = Field(
        32,
        ge=1,
        le=64,
        description="levels of brackets and of nesting in a rule",
        json_schema_extra=unit("levels"),
    )
    rule_nodes_max: int = Field(
        200,
        ge=1,
        le=2_000,
        description="parts of a rule: names, numbers, operators, calls",
        json_schema_extra=unit("count"),
    )
    rule_window_bars_max: int = Field(
        500,
        ge=2,
        le=500,
        description="bars that a rule may look back",
        json_schema_extra=unit("bars"),
    )
    rule_instruments_max: int = Field(
        8,
        ge=0,
        le=50,
        description='instruments that a rule may name, as in of("BTCUSDT", close)',
        json_schema_extra=unit("count"),
    )
    rule_intervals_max: int = Field(
        8,
        ge=0,
        le=12,
        description='other intervals that a rule may read, as in close(tf="4h")',
        json_schema_extra=unit("count"),
    )


class OperatorSettings(BaseSettings):
    """What `closebell` on an operator's machine reaches; each command asks for what it needs.

    All empty by default: `require` names the one that is missing, and what sets it.
    """

    model_config = SettingsConfigDict(extra="ignore")

    database_url: SecretStr = Field(
        SecretStr(""),
        description="Postgres as its owner (postgresql://…), for schedules and logs",
        json_schema_extra=unit("secret"),
    )
    supabase_url: str = Field(
        "", description="base URL of the Supabase project", json_schema_extra=unit("URL")
    )
    supabase_publishable_key: str = Field(
        "", description="its publishable key", json_schema_extra=unit("key")
    )
    supabase_secret_key: SecretStr = Field(
        SecretStr(""), description="its secret key", json_schema_extra=unit("secret")
    )
    upstash_redis_rest_url: str = Field(
        "", description="Redis over REST, as Upstash shows it", json_schema_extra=unit("URL")
    )
    upstash_redis_rest_token: SecretStr = Field(
        SecretStr(""), description="its token", json_schema_extra=unit("secret")
    )
    functions_url: str = Field(
        "", description="base URL of the functions", json_schema_extra=unit("URL")
    )
    function_secret: SecretStr = Field(
        SecretStr(""), description="secret that signs calls", json_schema_extra=unit("secret")
    )
    collector_url: str = Field(
        "",
        description="base URL of the collector's /health and /metrics",
        json_schema_extra=unit("URL"),
    )
    dashboard_url: str = Field(
        "", description="URL of the dashboard", json_schema_extra=unit("URL")
    )

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
        "",
        description="folder or s3://bucket/prefix of `closebell backup` without a target",
        json_schema_extra=unit("path"),
    )
    backup_s3_endpoint: str = Field(
        "",
        description="URL of an S3-compatible service; empty = Amazon's",
        json_schema_extra=unit("URL"),
    )
    backup_s3_region: str = Field(
        "", description="its region; empty = us-east-1", json_schema_extra=unit("name")
    )
    backup_s3_access_key_id: str = Field(
        "", description="its key id; may write, list, delete", json_schema_extra=unit("name")
    )
    backup_s3_secret_access_key: SecretStr = Field(
        SecretStr(""), description="its secret key", json_schema_extra=unit("secret")
    )


class DashboardHost(StrEnum):
    """Who serves the static page."""

    VERCEL = "vercel"
    FOLDER = "folder"


class DeploySettings(OperatorSettings):
    """What `closebell deploy` needs beyond: the hosts' names and, where nobody signs in, tokens."""

    fly_app: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$",
        description="name of the app at Fly; its address is https://<name>.fly.dev",
        json_schema_extra=unit("name"),
    )
    fly_region: str = Field(
        "fra",
        pattern=r"^[a-z]{3}$",
        description="region of both process groups; Binance refuses calls from the United States",
        json_schema_extra=unit("region"),
    )
    fly_org: str = Field(
        "personal",
        description="organisation in which the app is made, if it is not there yet",
        json_schema_extra=unit("name"),
    )
    fly_api_token: SecretStr = Field(
        SecretStr(""),
        description="token of Fly; empty = whoever is signed in (flyctl auth login)",
        json_schema_extra=unit("secret"),
    )
    dashboard_host: DashboardHost = Field(
        DashboardHost.VERCEL,
        description="vercel = upload there; folder = build dashboard/dist for another static host",
        json_schema_extra=unit("word"),
    )
    vercel_token: SecretStr = Field(
        SecretStr(""),
        description="token of Vercel; empty = whoever is signed in (vercel login)",
        json_schema_extra=unit("secret"),
    )
    vercel_org_id: str = Field(
        "",
        description="team or user of the Vercel project; empty = as linked (vercel link)",
        json_schema_extra=unit("id"),
    )
    vercel_project_id: str = Field(
        "",
        description="the Vercel project; empty = as linked (vercel link)",
        json_schema_extra=unit("id"),
    )


# Every kind, in the order in which they are listed. A name that several parts read is one setting.
KINDS: tuple[type[BaseSettings], ...] = (
    StoreSettings,
    CollectorSettings,
    FunctionsSettings,
    OperatorSettings,
    BackupSettings,
    DeploySettings,
)
# What the deployed parts are told as secrets of the host; the rest of them is no secret.
DEPLOYED_SECRETS = (
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "FUNCTIONS_URL",
    "FUNCTION_SECRET",
    "SUPABASE_URL",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_JWT_SECRET",
    "DASHBOARD_ORIGIN",
    "METRICS_TOKEN",
    "SENTRY_DSN",
)

S = TypeVar("S", bound=BaseSettings)


def known_names() -> list[str]:
    """Return the name of every setting, each once."""
    return list(dict.fromkeys(name.upper() for kind in KINDS for name in kind.model_fields))


def load_settings(
    kind: type[S],
    env_files: Sequence[str | Path] = (".env",),
    values: Mapping[str, Any] | None = None,
) -> S:
    """Return the settings from the environment and the files that exist, of which the last wins.

    `values`, by field, win over both: what follows from other settings, as an address from a name.
    Raises: ConfigError naming each variable that is missing or impossible, and each name in a file
    that nobody knows.
    """
    refuse_unknown(env_files)
    try:
        return kind(_env_file=tuple(env_files), **(values or {}))
    except ValidationError as error:
        # Not "NAME: text": of a TOKEN the log would take the text for the secret, and hide it.
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']).upper()} ({e['msg']})" for e in error.errors()
        )
        raise ConfigError(
            f"expected valid settings, was {problems}",
            hint="set them in the environment or in .env; .env.example lists them all",
        ) from error


def refuse_unknown(env_files: Sequence[str | Path]) -> None:
    """Raises: ConfigError with the names in the files that are no setting of any part."""
    known = known_names()
    for file in env_files:
        unknown = [name for name in dotenv_values(file) if name.upper() not in known]
        if unknown:
            near = difflib.get_close_matches(unknown[0].upper(), known, n=1)
            raise ConfigError(
                f"expected known settings in {Path(file).name}, was {', '.join(unknown)}",
                hint=f"did you mean {near[0]}?" if near else "docs/settings.md lists them all",
            )
