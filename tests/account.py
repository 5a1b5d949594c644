"""A user of the running stack, as the dashboard has one: signed up, with a token, with traders."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg

from tests.stack import Stack

PASSWORD = "a long enough password"
TIMEOUT_S = 60.0


class Account:
    """Signs up at `stack`'s auth server; calls are made with the user's own token."""

    def __init__(self, stack: Stack, email: str, tier_id: str = "pro") -> None:
        self.email = email
        self._stack = stack
        answer = httpx.post(
            f"{stack.url}/auth/v1/signup",
            json={"email": email, "password": PASSWORD},
            headers={"apikey": stack.cloud.publishable_key},
            timeout=TIMEOUT_S,
        )
        body = answer.raise_for_status().json()
        self.user_id: str = body["user"]["id"]
        self.token: str = body["access_token"]
        with psycopg.connect(stack.dsn, autocommit=True) as database:
            database.execute(
                "update public.profiles set tier_id = %s where user_id = %s",
                (tier_id, self.user_id),
            )

    def save_trader(self, rule: str, **fields: Any) -> httpx.Response:
        """Return the answer of the function save_trader."""
        trader = {
            "name": rule[:80],
            "description": "",
            "rule": rule,
            "venue": "binance",
            "universe": None,
            "interval": "1m",
            "trigger": "enter",
            "cooldown_s": 0,
            "enabled": True,
            "dry_run": False,
        }
        return httpx.post(
            f"{self._stack.cloud.functions_url}/save_trader",
            json=trader | fields,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=TIMEOUT_S,
        )

    def get(self, table: str, **filters: str) -> list[dict[str, Any]]:
        """Return rows of a table over REST, as far as this user may see them."""
        answer = httpx.get(
            f"{self._stack.url}/rest/v1/{table}",
            params=filters,
            headers={
                "apikey": self._stack.cloud.publishable_key,
                "Authorization": f"Bearer {self.token}",
            },
            timeout=TIMEOUT_S,
        )
        rows: list[dict[str, Any]] = answer.raise_for_status().json()
        return rows
