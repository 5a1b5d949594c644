"""The generated secrets of one local cloud: made once, kept in `.local/secrets.json`, mode 0600.

Never in the repository, never printed, except the demo password at the end of `make run`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from shared.errors import ConfigError

DEMO_EMAIL = "demo@closebell.test"


class Secrets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value per door of the local cloud."""

    postgres_password: str
    """Superuser `postgres`: migrations and the stand-ins that are part of the platform."""
    rest_password: str
    """Login role of the REST and auth server."""
    jwt_secret: str
    """HS256 key of user tokens."""
    publishable_key: str
    secret_key: str
    redis_token: str
    function_secret: str
    demo_password: str


def load_or_create_secrets(path: Path) -> Secrets:
    """Return the secrets kept at `path`; make them on the first call.

    Raises: ConfigError if the file exists and does not hold them.
    """
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Secrets)
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"expected {path} to hold the local secrets, was unreadable: {error}",
                hint="make reset",
            ) from error
    made = Secrets(
        postgres_password=secrets.token_urlsafe(24),
        rest_password=secrets.token_urlsafe(24),
        jwt_secret=secrets.token_urlsafe(48),
        publishable_key=_make_key("publishable"),
        secret_key=_make_key("secret"),
        redis_token=secrets.token_urlsafe(32),
        function_secret=secrets.token_urlsafe(32),
        demo_password=secrets.token_urlsafe(9),
    )
    write_private(path, msgspec.json.format(msgspec.json.encode(made), indent=2))
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)


def _make_key(kind: str) -> str:
    """Return an API key in Supabase's form: `sb_<kind>_<22 random>_<8 of its checksum>`."""
    body = f"sb_{kind}_{secrets.token_urlsafe(17)[:22]}"
    digest = hashlib.sha256(f"supabase-self-hosted|{body}".encode()).digest()
    return f"{body}_{base64.urlsafe_b64encode(digest).decode()[:8]}"
