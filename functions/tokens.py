"""Who a user is: the verified token and nothing else (predecessors trusted the caller's userId).

Two kinds of projects: HS256 with a shared secret, or asymmetric keys published as a JWKS under
`{SUPABASE_URL}/auth/v1/.well-known/jwks.json`. The algorithm is ours to choose, never the token's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import httpx
import jwt

from shared.errors import StoreUnavailable, Unauthorized

AUDIENCE = "authenticated"
KEY_ALGORITHMS = ["ES256", "RS256", "EdDSA"]
# Clocks of two hosts.
LEEWAY_S = 5
JWKS_TIMEOUT_S = 5.0
# An unknown key id asks the project again (keys rotate), but a forger cannot make us ask often.
JWKS_REFRESH_S_MIN = 30.0
HINT = "sign in again"


class TokenVerifier:
    """Verifies the tokens of one Supabase project; keeps its published keys.

    `secret` empty: the keys of `supabase_url`. `now_s` is a monotonic clock.
    """

    def __init__(
        self, secret: str, supabase_url: str, http: httpx.AsyncClient, now_s: Callable[[], float]
    ) -> None:
        self._secret = secret
        self._jwks_url = f"{supabase_url.rstrip('/')}/auth/v1/.well-known/jwks.json"
        self._http = http
        self._now_s = now_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._loaded_s: float | None = None
        self._loading = asyncio.Lock()

    async def user_id(self, authorization: str) -> str:
        """Return the id of the user whom an Authorization header proves.

        Raises: Unauthorized; StoreUnavailable if the project's keys cannot be had.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("expected a user's token, was none", hint=HINT)
        try:
            if self._secret:
                claims = self._decode(token, self._secret, ["HS256"])
            else:
                claims = self._decode(token, await self._key(token), KEY_ALGORITHMS)
            if claims.get("role") != AUDIENCE:
                raise Unauthorized("expected a signed-in user, was another role", hint=HINT)
            return str(UUID(str(claims["sub"])))
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("expected a current token, was expired", hint=HINT) from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("expected a valid token, was another", hint=HINT) from error

    def _decode(self, token: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, object]:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=AUDIENCE,
            leeway=LEEWAY_S,
            options={"require": ["exp", "sub", "aud"]},
        )

    async def _key(self, token: str) -> jwt.PyJWK:
        key_id = str(jwt.get_unverified_header(token).get("kid", ""))
        async with self._loading:
            now_s = self._now_s()
            old = self._loaded_s is None or now_s - self._loaded_s >= JWKS_REFRESH_S_MIN
            if key_id not in self._keys and old:
                self._keys = await self._load_keys()
                self._loaded_s = now_s
        key = self._keys.get(key_id)
        if key is None:
            raise Unauthorized("expected a token of this project, was another key's", hint=HINT)
        return key

    async def _load_keys(self) -> dict[str, jwt.PyJWK]:
        try:
            response = await self._http.get(self._jwks_url, timeout=JWKS_TIMEOUT_S)
            keys = jwt.PyJWKSet.from_dict(response.raise_for_status().json()).keys
        except (httpx.HTTPError, ValueError, jwt.PyJWKSetError) as error:
            raise StoreUnavailable(
                f"expected the keys of the project, was {type(error).__name__}",
                hint="set SUPABASE_JWT_SECRET if the project signs with a shared secret",
            ) from error
        return {key.key_id: key for key in keys if key.key_id is not None}
