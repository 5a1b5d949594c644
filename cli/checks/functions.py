"""The functions: each answers, of this release, and accepts what we sign."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from cli.checks.check import Finding, fault, ok, warning, worst
from cli.checks.ground import Ground
from cli.settings import PROJECT
from shared.signing import signed_headers

# Names no run: it is verified, decoded and answered, and does nothing.
EMPTY_CALL = b'{"runs": []}'
ADDRESS = "set FUNCTIONS_URL in .env to the address of the functions"


def function_names() -> list[str]:
    """Return the functions of this checkout: a folder with a handler each."""
    return sorted(path.parent.name for path in (PROJECT / "functions").glob("*/handler.py"))


async def ask_functions(ground: Ground) -> Finding:
    """Ask for health, and each function whether it is there (OPTIONS: 204, else 404)."""
    from importlib.metadata import version

    url = ground.url("functions_url")
    began_s = time.monotonic()
    answer = await ground.request("GET", f"{url}/health")
    took_ms = (time.monotonic() - began_s) * 1000
    if answer.status_code != 200:
        return fault(f"/health answered {answer.status_code}")
    try:
        health = answer.json()
    except ValueError:
        health = None
    if not isinstance(health, dict) or "version" not in health:
        return fault("/health answered, but not as the functions do", ADDRESS)
    names = function_names()
    replies = await asyncio.gather(*(ground.request("OPTIONS", f"{url}/{name}") for name in names))
    statuses = {name: reply.status_code for name, reply in zip(names, replies, strict=True)}
    return judge_functions(statuses, health, version("closebell"), took_ms)


def judge_functions(
    statuses: Mapping[str, int], health: Mapping[str, Any], version: str, took_ms: float
) -> Finding:
    """Judge name → status of OPTIONS, and what health says."""
    findings = []
    for name, status in statuses.items():
        if status != 204:
            findings.append(fault(f"{name} answered {status}"))
    theirs = str(health.get("version", "?"))
    if theirs != version:
        findings.append(warning(f"they are {theirs}, this command is {version}"))
    if findings:
        return worst(findings)
    return ok(f"{len(statuses)} answer, version {theirs}, {took_ms:.0f} ms")


async def ask_signature(ground: Ground) -> Finding:
    """Send a signed call that does nothing."""
    secret = ground.require("function_secret")
    answer = await ground.request(
        "POST",
        f"{ground.url('functions_url')}/trigger_executions",
        content=EMPTY_CALL,
        headers=signed_headers(secret, int(time.time()), EMPTY_CALL),
    )
    return judge_signature(answer.status_code, answer.text)


def judge_signature(status: int, text: str) -> Finding:
    """Judge the answer to a signed call."""
    if status == 200:
        return ok("the functions accept FUNCTION_SECRET")
    if status == 401:
        if "younger" in text:
            return fault("the functions refuse the time stamp (401)", "closebell doctor clock")
        return fault("the functions refuse FUNCTION_SECRET (401)")
    return fault(f"a signed call was answered {status}", "closebell logs functions --since 10m")
