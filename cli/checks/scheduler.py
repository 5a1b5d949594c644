"""Whether anything happens by itself: pg_cron's last runs, and a signed call through pg_net."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from cli.checks.check import Finding, fault, ok, warning
from cli.checks.ground import Ground
from cli.instants import ago

# A job of each minute may start a little late; two missed minutes are silence.
SILENT_S = 130.0
POLL_S = 0.1
ANSWER_TIMEOUT_S = 4.5
# A worker that stored an answer this lately is alive: the tick of each minute makes one.
WORKER_ALIVE_S = 90.0
RESTART_CRON = "restart the database: hosted, Settings → General; here: make stop, make run"


async def ask_cron(ground: Ground, silent_s: float = SILENT_S) -> Finding:
    """Look at the newest start of a job that runs each minute, and at the last end of every job."""
    rows = await ground.fetch(
        "with recent as ("
        " select jobid, start_time, status, return_message, runid"
        " from cron.job_run_details order by runid desc limit 500"
        ")"
        " select distinct on (job.jobid) job.jobname as name, job.schedule, job.active,"
        " extract(epoch from now() - recent.start_time)::float8 as age_s, recent.status,"
        " recent.return_message as message"
        " from cron.job left join recent using (jobid)"
        " where job.database = current_database()"
        " order by job.jobid, recent.runid desc nulls last"
    )
    row = await ground.fetch_one(
        "select extract(epoch from now() - pg_postmaster_start_time())::float8 as up_s"
    )
    ages_s = [
        found["age_s"]
        for found in rows
        if found["schedule"] == "* * * * *" or found["schedule"].endswith("seconds")
    ]
    failed = [
        (found["name"], found["message"] or "") for found in rows if found["status"] == "failed"
    ]
    # What fails inside a schedule is kept in its own history: to pg_cron the run succeeded.
    failing = await ground.fetch(
        "select name, coalesce(last_error, '') as message from ops.schedules"
        " where fail_streak > 0 order by name"
    )
    failed += [(found["name"], found["message"]) for found in failing]
    return judge_cron(ages_s, failed, up_s=row["up_s"], silent_s=silent_s)


def judge_cron(
    ages_s: Sequence[float | None],
    failed: Sequence[tuple[str, str]],
    *,
    up_s: float,
    silent_s: float = SILENT_S,
) -> Finding:
    """Judge the ages of the newest runs of per-minute jobs (None: never ran), and what failed."""
    known = [age_s for age_s in ages_s if age_s is not None]
    if not ages_s:
        return fault("no job runs each minute", "closebell doctor timetable")
    if not known or min(known) > silent_s:
        if up_s < silent_s:
            return ok(f"Postgres is up for {up_s:.0f} s: no minute's job is overdue")
        last = f"last run {ago(min(known))}" if known else "never ran"
        return fault(f"silent: {last}", RESTART_CRON)
    found = f"last run {ago(min(known))}"
    if failed:
        name, message = failed[0]
        first_line = message.partition("\n")[0][:100]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return warning(
            f"{found}; {name}{more} failed: {first_line}", f"closebell schedules history {name}"
        )
    return ok(found)


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
    return judge_silence(row["waiting_count"], row["answered_at"], row["now"], ground.is_local)


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


def judge_silence(
    waiting_count: int, answered_at: datetime | None, now: datetime, is_local: bool
) -> Finding:
    """Judge a call that has no answer yet."""
    since_s = (now - answered_at).total_seconds() if answered_at else None
    if since_s is not None and since_s < WORKER_ALIVE_S:
        return warning(
            f"no answer in {ANSWER_TIMEOUT_S:.0f} s; the worker stored another {ago(since_s)}",
            "a slow answer holds up its batch: ask again",
        )
    last = "none in 6 hours" if since_s is None else f"the last {ago(since_s)}"
    return fault(
        f"the request worker is silent: {waiting_count} waiting, answers: {last}",
        "make stop, then make run" if is_local else "select net.worker_restart();",
    )


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
    mend = f"update ops.settings set value = '{wanted or '…'}' where name = 'functions_url';"
    if not stored:
        return fault("empty: Postgres calls nobody", mend, fix="functions_url" if wanted else "")
    if wanted and stored != wanted:
        return warning(
            f"Postgres calls {stored}, FUNCTIONS_URL is {wanted}",
            mend,
            fix="functions_url" if is_local else "",
        )
    return ok(stored)
