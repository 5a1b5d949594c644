"""Who a socket speaks for: API keys and HS256 tokens, with the texts of the real service.

Pure: the time is an argument. Not here: what a user may read (`authorization`).
"""

from __future__ import annotations

import jwt
import msgspec

from shared.errors import Unauthorized

# A role is set in the database as it stands in the token: only these are users of the API.
ROLES = frozenset({"anon", "authenticated", "service_role"})
# API keys do not expire; this is 2286-11-20.
NEVER_S = 9_999_999_999


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """A verified token: role, expiry (unix seconds), and all claims as JSON text."""

    role: str
    expires_at_s: int
    claims_json: str


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What tokens and API keys are checked against."""

    jwt_secret: str
    publishable_key: str
    secret_key: str

    def verify(self, token: str | None, now_s: float) -> Claims:
        """Return whom the token or key stands for.

        Raises: Unauthorized worded `<Code>: <text>`, as a join is refused.
        """
        if not token:
            raise Unauthorized("MissingAPIKey: API key is missing")
        if token == self.publishable_key:
            return claims_of_key("anon")
        if token == self.secret_key:
            return claims_of_key("service_role")
        return verify_token(token, self.jwt_secret, now_s)


def claims_of_key(role: str) -> Claims:
    """Return the claims that the hosted gateway makes of an API key."""
    claims = {"role": role, "exp": NEVER_S}
    return Claims(role=role, expires_at_s=NEVER_S, claims_json=msgspec.json.encode(claims).decode())


def verify_token(token: str, jwt_secret: str, now_s: float) -> Claims:
    """Return the claims of a signed token that has not expired at `now_s` (unix seconds).

    Raises: Unauthorized.
    """
    try:
        claims = jwt.decode(
            token,
            jwt_secret,
            algorithms=["HS256"],
            # Expiry is judged below, by the time given; audience and issue time nowhere.
            options={
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidSignatureError as error:
        raise Unauthorized("JwtSignatureError: Failed to validate JWT signature") from error
    except jwt.InvalidTokenError as error:
        raise Unauthorized("MalformedJWT: The token provided is not a valid JWT") from error
    role, expires_at_s = claims.get("role"), claims.get("exp")
    if not isinstance(role, str) or not isinstance(expires_at_s, int):
        raise Unauthorized("InvalidJWTToken: Fields `role` and `exp` are required in JWT")
    if expires_at_s <= now_s:
        late_s = int(now_s - expires_at_s)
        raise Unauthorized(f"InvalidJWTToken: Token has expired {late_s} seconds ago")
    if role not in ROLES:
        raise Unauthorized(f"Unauthorized: role {role!r} is not one of {sorted(ROLES)}")
    return Claims(
        role=role,
        expires_at_s=expires_at_s,
        claims_json=msgspec.json.encode(claims).decode(),
    )
