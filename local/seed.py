"""The demo account and its sample traders, made once over the same doors a user goes through.

Signs up at the auth server, saves through `save_trader` with the account's own token. Idempotent:
a sample is made once in the life of a state folder, so one that its owner deleted stays deleted.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import msgspec

from local.cloud import Cloud
from local.database import give_password, make_operator, set_tier
from local.samples import SAMPLES, Sample
from local.secrets import DEMO_EMAIL, write_private
from shared.errors import StoreUnavailable

TIMEOUT_S = 30.0
HISTORY_TIMEOUT_S = 60.0
REFUSED_PAUSE_S = 1.0
DEMO_TIER = "pro"


async def make_samples(cloud: Cloud) -> None:
    """Make what is missing. Raises: StoreUnavailable with the answer that was not expected."""
    made_file = cloud.state.root / "samples.json"
    made = _read_made(made_file)
    missing = [sample for sample in SAMPLES if sample.name not in made]
    try:
        await _make(cloud, made, missing, made_file)
    except httpx.HTTPError as error:
        raise StoreUnavailable(
            f"expected the demo account to be made, was {type(error).__name__}: {error}",
            hint="see .local/logs/",
        ) from error


async def _make(cloud: Cloud, made: set[str], missing: list[Sample], made_file: Path) -> None:
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        token, user_id = await sign_in_demo(client, cloud)
        if cloud.database_dsn:
            # Whoever tries this out is the operator as well: the banner of incidents is theirs.
            await make_operator(cloud.database_dsn, user_id)
        if not missing:
            return
        if cloud.database_dsn:
            await set_tier(cloud.database_dsn, user_id, DEMO_TIER)
        present = await _trader_names(client, cloud, token)
        for sample in missing:
            if sample.name not in present:
                await save_sample(client, cloud.functions_url, token, sample)
            made.add(sample.name)
            write_private(made_file, msgspec.json.encode(sorted(made)))


async def save_sample(
    client: httpx.AsyncClient,
    functions_url: str,
    token: str,
    sample: Sample,
    pause_s: float = REFUSED_PAUSE_S,
) -> None:
    """Save a sample; again if it is refused, which a good rule is while its bars are too few.

    The collector starts beside us and writes its history in pieces: for a moment there are 25 bars.
    Raises: StoreUnavailable if it stays refused.
    """
    deadline_s = time.monotonic() + HISTORY_TIMEOUT_S
    while True:
        answer = await client.post(
            f"{functions_url}/save_trader",
            json={**msgspec.to_builtins(sample), "dry_run": False},
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.status_code != 400 or time.monotonic() > deadline_s:
            break
        await asyncio.sleep(pause_s)
    _expect_ok(answer, f"the sample trader {sample.name!r} to be saved")


async def sign_in_demo(client: httpx.AsyncClient, cloud: Cloud) -> tuple[str, str]:
    """Return the demo account's token and user id; sign it up on the first call."""
    account = {"email": DEMO_EMAIL, "password": cloud.secrets.demo_password}
    headers = {"apikey": cloud.publishable_key}
    # A backup holds no password: an account that was restored gets the one that is shown.
    if cloud.database_dsn:
        await give_password(cloud.database_dsn, DEMO_EMAIL, cloud.secrets.demo_password)
    answer = await client.post(
        f"{cloud.supabase_url}/auth/v1/token?grant_type=password", json=account, headers=headers
    )
    if answer.status_code != 200:
        answer = await client.post(
            f"{cloud.supabase_url}/auth/v1/signup", json=account, headers=headers
        )
        _expect_ok(answer, f"{DEMO_EMAIL} to sign up")
    body = answer.json()
    return str(body["access_token"]), str(body["user"]["id"])


async def _trader_names(client: httpx.AsyncClient, cloud: Cloud, token: str) -> set[str]:
    answer = await client.get(
        f"{cloud.supabase_url}/rest/v1/traders",
        params={"select": "name", "limit": "1000"},
        headers={"apikey": cloud.publishable_key, "Authorization": f"Bearer {token}"},
    )
    _expect_ok(answer, "the demo account's traders to be listed")
    return {row["name"] for row in answer.json()}


def _read_made(file: Path) -> set[str]:
    """Return the names of samples that were made before."""
    return msgspec.json.decode(file.read_bytes(), type=set[str]) if file.exists() else set()


def _expect_ok(answer: httpx.Response, expectation: str) -> None:
    if answer.status_code >= 300:
        raise StoreUnavailable(
            f"expected {expectation}, was status {answer.status_code}: {answer.text[:300]}",
            hint="see .local/logs/functions.log and rest.log",
        )
