"""The secret that signs calls: the same in Postgres as in FUNCTION_SECRET. Never shown.

Both sides sign the same random text; only signatures are compared.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cli.checks.check import FIX, Finding, fault, ok
from cli.checks.ground import Ground

NAME = "function_secret"


async def ask_secret(ground: Ground) -> Finding:
    """Let Postgres sign a text with its secret, and compare."""
    nonce = secrets.token_hex(16)
    row = await ground.fetch_one(
        "select to_regclass('vault.decrypted_secrets') is not null as has_vault"
    )
    has_vault = row["has_vault"]
    if has_vault:
        # Not through ops.secret: a missing one is an answer here, not an error.
        rows = await ground.fetch(
            "select encode(extensions.hmac(%s, decrypted_secret, 'sha256'), 'hex') as signature"
            " from vault.decrypted_secrets where name = %s",
            nonce,
            NAME,
        )
    else:
        rows = await ground.fetch(
            "select encode(extensions.hmac(%s, value, 'sha256'), 'hex') as signature"
            " from ops.local_secrets where name = %s",
            nonce,
            NAME,
        )
    ours = ground.require("function_secret")
    expected = hmac.new(ours.encode(), nonce.encode(), hashlib.sha256).hexdigest()
    return judge_secret(
        rows[0]["signature"] if rows else None,
        expected,
        has_vault=has_vault,
        is_local=ground.is_local,
    )


def judge_secret(
    signature: str | None, expected: str, *, has_vault: bool, is_local: bool
) -> Finding:
    """Judge Postgres' signature of a text; None: it has no secret."""
    place = "Vault" if has_vault else "ops.local_secrets"
    if signature is None:
        return fault(f"no {NAME} in {place}", FIX, fix=NAME)
    if hmac.compare_digest(signature, expected):
        return ok(f"{place} and FUNCTION_SECRET are equal")
    found = f"{place} and FUNCTION_SECRET differ"
    # Which of the two the functions know is theirs to say; on a laptop it is FUNCTION_SECRET.
    if is_local and not has_vault:
        return fault(found, FIX, fix=NAME)
    return fault(found, f"SQL: select ops.store_secret('{NAME}', '…'); with that of the functions")
