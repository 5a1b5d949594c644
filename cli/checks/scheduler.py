"""Whether anything happens by itself: pg_cron's last runs, and a signed call through pg_net."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from cli.checks.check import FIX, Finding, fault, ok, warning
from cli.checks.functions import ADDRESS
from cli.checks.ground import Ground
from cli.instants import ago

POLL_S = 0.1
ANSWER_TIMEOUT_S = 4.5
# A worker that stored an answer this lately is alive: the tick of each minute makes one.
WORKER_ALIVE_S = 90.0


async def ask_cron(ground: Ground) -> Finding:
    """Look at when pg_cron started a job last, and at the last end of every job.

    It has a while after Postgres has started, and after a job was scheduled for the first time.
    """
    rows = await ground.fetch(
        "with recent as ("
        " select jobid, status, return_message, runid"
        " from cron.job_run_details order by runid desc limit 500"
        ")"
        " select distinct on (job.jobid) job.jobname as name, job.schedule, recent.status,"
        " recent.return_message as message"
        " from cron.job left join recent using (jobid)"
        " where job.database = current_database()"
        " order by job.jobid, recent.runid desc nulls last"
    )
    row = await ground.fetch_one(
        "select extract(epoch from now() - ops.cron_started_at())::float8 as age_s,"
        " extract(epoch from now() - greatest(ops.cron_started_at(), pg_postmaster_start_time(),"
        " (select max(at) from ops.audit where action = 'add' and object like 'schedule %%')"
        "))::float8 as waited_s,"
        " ops.setting('cron_silent_after_s')::float8 as silent_s"
    )
    failed = [
        (found["name"], found["message"] or "") for found in rows if found["status"] == "failed"
    ]
    # What fails inside a schedule is kept in its own history: to pg_cron the run succeeded.
    failing = await ground.fetch(
        "select name, coalesce(last_error, '') as message from ops.schedules"
        " where fail_streak > 0 order by name"
    )
    failed += [(found["name"], found["message"]) for found in failing]
    return judge_cron(
        row["age_s"],
        row["waited_s"],
        failed,
        has_minute=any(found["schedule"] == "* * * * *" for found in rows),
        silent_s=row["silent_s"],
    )


def judge_cron(
    age_s: float | None,
    waited_s: float,
    failed: Sequence[tuple[str, str]],
    *,
    has_minute: bool,
    silent_s: float,
) -> Finding:
    """Judge the age of the newest run (None: never), for how long one is awaited, what failed."""
    if not has_minute:
        return fault("no job runs each minute", "closebell doctor timetable")
    last = "never ran" if age_s is None else f"last run {ago(age_s)}"
    if waited_s > silent_s:
        return fault(f"silent: {last}")
    if failed:
        name, message = failed[0]
        first_line = message.partition("\n")[0][:100]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return warning(
            f"{last}; {name}{more} failed: {first_line}", f"closebell schedules history {name}"
        )
    if age_s is None or age_s > silent_s:
        return ok(f"{last}; Postgres or the timetable is {waited_s:.0f} s old: nothing is overdue")
    return ok(last)


async def ask_requests(ground: Ground) -> Finding:
    """Let Postgres make a signed call that does nothing, and wait for the answer to be stored.

    The answer proves, at once, the request worker, functions_url and the secret in Postgres.
    """
    began_s = time.monotonic()
    row = await ground.fetch_one(
        "select ops.call_function('trigger_executions', '{\"runs\": []}'::jsonb) as request_id"
    )
    request_id = row["request_id"]
    while time.monotonic() - began_s < ANSWER_TIMEOUT_S:
        rows = await ground.fetch(
            "select status_code, error_msg from net._http_response where id = %s", request_id
        )
        if rows:
            took_ms = (time.monotonic() - began_s) * 1000
            return judge_answer(rows[0]["status_code"], rows[0]["error_msg"], took_ms)
        await asyncio.sleep(POLL_S)
    row = await ground.fetch_one(
        "select (select count(*) from net.http_request_queue) as waiting_count,"
        " (select max(created) from net._http_response) as answered_at, now() as now"
    )
    return judge_silence(row["waiting_count"], row["answered_at"], row["now"])


def judge_answer(status: int | None, error: str | None, took_ms: float) -> Finding:
    """Judge the stored answer of a signed call by Postgres."""
    if status == 200:
        return ok(f"a signed call of Postgres came back in {took_ms:.0f} ms")
    if status == 401:
        return fault("the functions refuse Postgres' signature (401)", "closebell doctor secret")
    if status is not None:
        return fault(f"the functions answered Postgres {status}", "closebell doctor functions")
    return fault(
        f"Postgres cannot reach the functions: {error or 'no answer'}",
        "closebell doctor functions functions_url",
    )


def judge_silence(waiting_count: int, answered_at: datetime | None, now: datetime) -> Finding:
    """Judge a call that has no answer yet."""
    since_s = (now - answered_at).total_seconds() if answered_at else None
    if since_s is not None and since_s < WORKER_ALIVE_S:
        return warning(
            f"no answer in {ANSWER_TIMEOUT_S} s; the worker stored another {ago(since_s)}",
            "closebell doctor requests, again: a slow answer holds up its batch",
        )
    last = "none in 6 hours" if since_s is None else f"the last {ago(since_s)}"
    return fault(f"the request worker is silent: {waiting_count} waiting, answers: {last}")


async def ask_functions_url(ground: Ground) -> Finding:
    """Compare where Postgres calls with where the functions are."""
    rows = await ground.fetch("select value from ops.settings where name = 'functions_url'")
    return judge_functions_url(
        rows[0]["value"] if rows else "",
        ground.values.get("functions_url", "").rstrip("/"),
        is_local=ground.is_local,
    )


def judge_functions_url(stored: str, wanted: str, *, is_local: bool) -> Finding:
    """Judge the setting functions_url of Postgres; `wanted` is FUNCTIONS_URL."""
    if not stored:
        empty = "empty: Postgres calls nobody"
        return fault(empty, FIX, fix="functions_url") if wanted else fault(empty, ADDRESS)
    if wanted and stored != wanted:
        update = f"SQL: update ops.settings set value = '{wanted}' where name = 'functions_url';"
        return warning(
            f"Postgres calls {stored}, FUNCTIONS_URL is {wanted}",
            FIX if is_local else update,
            fix="functions_url" if is_local else "",
        )
    return ok(stored)
