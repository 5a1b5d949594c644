"""What is deployed where: checked settings, and what follows from them. Pure.

Called by deploy.py. Not here: the steps (deploy_plan.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.errors import ConfigError
from shared.settings import (
    DEPLOYED_SECRETS,
    CollectorSettings,
    DeploySettings,
    FunctionsSettings,
    OperatorSettings,
)

# Regions of Fly in the United States: Binance answers 451 to calls from there.
REFUSED_REGIONS = ("dfw", "ewr", "iad", "lax", "ord", "sjc")
TRANSACTION_POOLER_PORT = 6543


@dataclass(frozen=True)
class Needed:
    """A setting without which nothing is deployed: what it looks like, and where it comes from."""

    example: str
    source: str


NEEDED = {
    "fly_app": Needed("your-app", "you: a name that no app at Fly has yet"),
    "database_url": Needed(
        "postgresql://postgres.<ref>:<password>@<host>.pooler.supabase.com:5432/postgres",
        "Supabase: Connect → Session pooler (port 5432)",
    ),
    "supabase_url": Needed("https://<ref>.supabase.co", "Supabase: a new project, not in the US"),
    "supabase_publishable_key": Needed("sb_publishable_…", "Supabase: Settings → API keys"),
    "supabase_secret_key": Needed("sb_secret_…", "Supabase: Settings → API keys"),
    "upstash_redis_rest_url": Needed(
        "https://<name>.upstash.io", "Upstash: Redis, not in the US, eviction off → REST"
    ),
    "upstash_redis_rest_token": Needed("<token>", "Upstash: Redis → REST"),
    "function_secret": Needed("<32 random bytes>", "a terminal: openssl rand -base64 32"),
    "dashboard_url": Needed(
        "https://<project>.vercel.app",
        "Vercel, after: cd dashboard && vercel link; or your static host",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is deployed where: checked settings and what follows from them."""

    deploy: DeploySettings
    collector: CollectorSettings
    functions: FunctionsSettings

    @property
    def functions_url(self) -> str:
        """Return the address under which Postgres, the collector and browsers call."""
        return self.functions.functions_url

    @property
    def name(self) -> str:
        """Return what tells this target from another in the file of finished steps."""
        return f"{self.deploy.fly_app} with {urlsplit(self.functions.supabase_url).netloc}"

    def secrets(self) -> dict[str, str]:
        """Return what the deployed parts are told as secrets, empty ones left out."""
        values = {**_dump(self.collector), **_dump(self.functions)}
        return {name: values[name] for name in DEPLOYED_SECRETS if values.get(name)}

    def operator(self) -> dict[str, str]:
        """Return what `closebell doctor` asks; empty where not set, lest a local cloud count."""
        values = _dump(self.deploy)
        names = [name.upper() for name in OperatorSettings.model_fields]
        return {name: values[name] for name in names} | {"FUNCTIONS_URL": self.functions_url}

    def overrides(self, fixed: Mapping[str, str]) -> dict[str, str]:
        """Return the other settings of the deployed parts that are not the default.

        `fixed`: names that fly.toml decides.
        """
        changed: dict[str, str] = {}
        for settings in (self.collector, self.functions):
            for field, info in type(settings).model_fields.items():
                name, value = field.upper(), getattr(settings, field)
                is_ours = name not in DEPLOYED_SECRETS and name not in fixed
                if is_ours and value != info.default:
                    changed[name] = _text(value)
        return changed


def find_missing(settings: DeploySettings) -> list[str]:
    """Return the fields that are needed and empty, in the order in which one gets them."""
    values = _dump(settings)
    return [name for name in NEEDED if not values[name.upper()]]


def check_target(target: Target) -> None:
    """Refuse what cannot work. Raises: ConfigError naming the setting and what to do."""
    deploy = target.deploy
    if bool(deploy.vercel_org_id) != bool(deploy.vercel_project_id):
        raise ConfigError(
            "expected VERCEL_ORG_ID and VERCEL_PROJECT_ID together, was one of them",
            hint="both are in dashboard/.vercel/project.json after: vercel link",
        )
    if deploy.fly_region in REFUSED_REGIONS:
        raise ConfigError(
            f"expected a region outside the United States, was FLY_REGION={deploy.fly_region}",
            hint="Binance answers 451 there: set FLY_REGION=fra, ams, sin or another",
        )
    database = urlsplit(deploy.database_url.get_secret_value())
    if database.scheme not in ("postgresql", "postgres") or not database.hostname:
        raise ConfigError(
            "expected DATABASE_URL=postgresql://…, was another text",
            hint="Supabase: Connect → Session pooler",
        )
    if database.port == TRANSACTION_POOLER_PORT:
        raise ConfigError(
            "expected DATABASE_URL to keep its session, was the transaction pooler (port 6543)",
            hint="Supabase: Connect → Session pooler (port 5432)",
        )
    project, _, domain = (urlsplit(target.functions.supabase_url).hostname or "").partition(".")
    if domain == "supabase.co" and project not in f"{database.username}@{database.hostname}":
        raise ConfigError(
            f"expected DATABASE_URL and SUPABASE_URL of one project, {project} is not in the first",
            hint="Supabase: Connect → Session pooler, in the project of SUPABASE_URL",
        )
    if deploy.supabase_publishable_key.startswith("sb_secret_"):
        raise ConfigError(
            "expected SUPABASE_PUBLISHABLE_KEY to be public, was a secret key",
            hint="every visitor reads it: take the one that begins with sb_publishable_",
        )
    for name, value in (
        ("SUPABASE_URL", target.functions.supabase_url),
        ("FUNCTIONS_URL", target.functions_url),
        ("DASHBOARD_URL", deploy.dashboard_url),
        ("UPSTASH_REDIS_REST_URL", target.functions.upstash_redis_rest_url),
    ):
        url = urlsplit(value)
        if not url.hostname or value.endswith("/"):
            raise ConfigError(f"expected {name}=https://… without a slash at the end", hint=".env")
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
            raise ConfigError(f"expected {name} to be https, was {url.scheme}://", hint=".env")
    for name, value in target.secrets().items():
        if any(character in value for character in "\n\r\"'#"):
            raise ConfigError(
                f"expected {name} without quotes, # or line breaks, was one with",
                hint="flyctl would read another value; make a new one",
            )


def _dump(settings: BaseSettings) -> dict[str, str]:
    return {name.upper(): _text(getattr(settings, name)) for name in type(settings).model_fields}


def _text(value: object) -> str:
    """Return a setting's value as the environment carries it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(part) for part in value)
    return str(value)
