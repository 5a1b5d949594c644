"""All checks, in the order in which they are shown; each names only checks before it.

docs/doctor.md holds the same lines (`python -m cli.checks.catalogue` prints its table).
"""

from __future__ import annotations

from cli.checks.check import Check
from cli.checks.collector import ask_budget, ask_collector
from cli.checks.functions import ask_functions, ask_signature
from cli.checks.postgres import (
    ask_extensions,
    ask_free_tier,
    ask_kill_switch,
    ask_postgres,
)
from cli.checks.redis import ask_eviction, ask_redis
from cli.checks.scheduler import ask_cron, ask_functions_url, ask_requests
from cli.checks.schema import ask_migrations, ask_routines, ask_timetable
from cli.checks.secrets import ask_secret
from cli.checks.settings import ask_disk, ask_settings
from cli.checks.supabase import ask_dashboard, ask_realtime, ask_rest
from cli.checks.venue import ask_clock, ask_postgres_clock, ask_sockets, ask_venue
from cli.checks.watchdog import ask_backup, ask_incidents

CHECKS = (
    Check(
        name="settings",
        expected="every setting of the command line, no unknown name in .env, no impossible value",
        meaning="a part does not start, or runs with a default that nobody wanted",
        mend_here="`make run`, or edit `.env`; `.env.example` lists every name",
        mend_deployed="edit `.env`; `.env.example` lists every name",
        ask=ask_settings,
    ),
    Check(
        name="disk",
        expected="more than 2 GB free here",
        meaning="a full disk stops Postgres and Redis of the local cloud",
        mend_here="make room: `du -sh * .local/*` tells what is large, `make clean` drops builds",
        ask=ask_disk,
    ),
    Check(
        name="venue",
        expected="the venue's REST API answers from here",
        meaning="without it a gap is not repaired and nothing can start. 451: not served in this"
        " region; 403: its firewall; 418: banned; 429: too many requests",
        mend_here="`make stop && make run`",
        mend_deployed="451: `BINANCE_REST_URL=https://data-api.binance.vision` in `.env`, or"
        " another region; else wait as told",
        ask=ask_venue,
    ),
    Check(
        name="venue_sockets",
        expected="the venue's sockets open from here",
        meaning="no close comes: no frame, no signal",
        mend_here="`make stop && make run`",
        mend_deployed="451: `BINANCE_STREAM_URL=wss://data-stream.binance.vision` in `.env`, or"
        " another region",
        ask=ask_sockets,
    ),
    Check(
        name="clock",
        expected="this machine within 1 s of the venue",
        meaning="signatures are refused from 300 s on; ages on screens are wrong",
        mend_here="`sudo timedatectl set-ntp true`",
        ask=ask_clock,
        needs=("venue",),
    ),
    Check(
        name="redis",
        expected="Redis accepts the token and answers within half a second",
        meaning="no frame is written or read: slots wait until it is back",
        mend_here="`make stop && make run`",
        mend_deployed="`UPSTASH_REDIS_REST_URL` and `_TOKEN` in `.env` as console.upstash.com"
        " shows",
        ask=ask_redis,
    ),
    Check(
        name="eviction",
        expected="eviction policy noeviction",
        meaning="frames vanish when the memory is full, and with them the past that rules need",
        mend_here="`make stop && make run`",
        mend_deployed="switch Eviction off on the database's page at console.upstash.com",
        ask=ask_eviction,
        needs=("redis",),
    ),
    Check(
        name="collector",
        expected="the newest minute is stored, no gap, no frame that waits",
        meaning="slots are not evaluated, or late and without some symbols",
        mend_here="`make stop && make run`",
        mend_deployed="`flyctl logs --app $(dotenv get FLY_APP)`, then"
        " `flyctl apps restart $(dotenv get FLY_APP)`",
        ask=ask_collector,
    ),
    Check(
        name="postgres",
        expected="Postgres 15 or newer answers its owner",
        meaning="nothing is stored, and nothing runs by itself",
        mend_here="`make stop && make run`",
        mend_deployed="`DATABASE_URL` in `.env` as Connect in the project's dashboard shows it",
        ask=ask_postgres,
    ),
    Check(
        name="postgres_clock",
        expected="Postgres within 1 s of the venue",
        meaning="slots open early or late; a close 5 s ahead is refused",
        mend_here="`sudo timedatectl set-ntp true`",
        mend_deployed="restart the project: Settings → General in its dashboard",
        ask=ask_postgres_clock,
        needs=("postgres", "venue"),
    ),
    Check(
        name="extensions",
        expected="pg_cron from 1.4, pg_net (here its stand-in), pgcrypto; hosted also Vault",
        meaning="no schedule, no call, no signature, or a secret in a plain table",
        mend_here="`make stop && make run`",
        mend_deployed="SQL: `create extension …;` as shown",
        ask=ask_extensions,
        needs=("postgres",),
    ),
    Check(
        name="migrations",
        expected="every file of sql/migrations applied, none edited since, no other",
        meaning="routines and tables do not fit the code",
        mend_here="`closebell doctor --fix`",
        mend_deployed="`python -m local.migrate up`",
        ask=ask_migrations,
        needs=("postgres",),
    ),
    Check(
        name="routines",
        expected="every routine as in sql/routines",
        meaning="an older release, or a change by hand, is at work",
        mend_here="`closebell doctor --fix`",
        mend_deployed="`python -m local.migrate up`",
        ask=ask_routines,
        needs=("migrations",),
    ),
    Check(
        name="timetable",
        expected="cron's jobs as in sql/schedules.sql, none paused",
        meaning="what is not scheduled does not happen: no tick, no trimming",
        mend_here="`closebell doctor --fix`; paused: `closebell schedules resume NAME`",
        mend_deployed="`python -m local.migrate up`; paused: `closebell schedules resume NAME`",
        ask=ask_timetable,
        needs=("migrations", "extensions"),
    ),
    Check(
        name="cron",
        expected="a job ran within 90 s (`cron_silent_after_s`), and no job's last run failed",
        meaning="no tick: signals come only by the collector's poke, missed slots are not made up",
        mend_here="`make stop && make run`; a job that fails: `closebell schedules history NAME`",
        mend_deployed="restart the project: Settings → General in its dashboard; a job that fails:"
        " `closebell schedules history NAME`",
        ask=ask_cron,
        needs=("migrations", "extensions"),
    ),
    Check(
        name="functions_url",
        expected="Postgres calls the functions at FUNCTIONS_URL",
        meaning="ticks go nowhere, or to another system",
        mend_here="`closebell doctor --fix`",
        mend_deployed="SQL: `update ops.settings set value = '…' where name = 'functions_url';` as"
        " shown",
        ask=ask_functions_url,
        needs=("migrations",),
    ),
    Check(
        name="secret",
        expected="the secret of Postgres (Vault, here a table) equals FUNCTION_SECRET",
        meaning="the functions refuse every tick (401)",
        mend_here="`closebell doctor --fix`",
        mend_deployed="none: `closebell doctor --fix`; another: SQL: `select"
        " ops.store_secret('function_secret', '…');`",
        ask=ask_secret,
        needs=("migrations", "extensions"),
    ),
    Check(
        name="functions",
        expected="each function answers, all of this release",
        meaning="no run is executed, no rule is checked or saved",
        mend_here="`make stop && make run`",
        mend_deployed="`flyctl status --app $(dotenv get FLY_APP)`, then `closebell deploy`",
        ask=ask_functions,
    ),
    Check(
        name="signature",
        expected="the functions accept a call signed with FUNCTION_SECRET",
        meaning="the collector's poke and the ticks are refused (401)",
        mend_here="the same `FUNCTION_SECRET` in `.env`, then `make stop && make run`",
        mend_deployed="the same `FUNCTION_SECRET` in `.env`, then `closebell deploy`",
        ask=ask_signature,
        needs=("functions",),
    ),
    Check(
        name="requests",
        expected="a signed call made by Postgres is answered 200 within 4.5 s",
        meaning="the request worker (pg_net) is silent, or cannot reach or convince the functions",
        mend_here="`make stop && make run`",
        mend_deployed="SQL: `select net.worker_restart();`",
        ask=ask_requests,
        needs=("functions_url", "secret"),
    ),
    Check(
        name="rest",
        expected="REST and auth accept the secret and the publishable key",
        meaning="functions cannot store, nobody can sign in",
        mend_here="`make stop && make run`",
        mend_deployed="both keys in `.env` as Settings → API Keys shows them",
        ask=ask_rest,
    ),
    Check(
        name="realtime",
        expected="a message of Postgres reaches a private topic within 3 s",
        meaning="screens learn of a signal only by asking, up to a minute later",
        mend_here="`make stop && make run`",
        mend_deployed="wait: https://status.supabase.com tells of trouble",
        ask=ask_realtime,
        needs=("postgres",),
    ),
    Check(
        name="dashboard",
        expected="the dashboard's page is served",
        meaning="nobody sees anything, though signals are stored",
        mend_here="`make stop && make run`",
        mend_deployed="`closebell deploy`",
        ask=ask_dashboard,
    ),
    Check(
        name="budget",
        expected="at most 80 % of the month's Redis commands, as projected",
        meaning="the free quota ends before the month does, and Redis refuses",
        mend_here="fewer `INTERVALS` in `.env`, or a higher `COMMANDS_PER_MONTH_MAX`, which costs",
        ask=ask_budget,
        needs=("collector", "migrations"),
    ),
    Check(
        name="free_tier",
        expected="this month at most 80 % of what is free used of each meter; as much"
        " of the connections now",
        meaning="beyond it a provider refuses or charges; above 500 MB a free project is read-only",
        mend_here="`closebell cost`; what to do: docs/runbook.md, budget_exceeded",
        ask=ask_free_tier,
        needs=("migrations",),
    ),
    Check(
        name="kill_switch",
        expected="signals are on",
        meaning="somebody has stopped all signals; runs wait and are made up for afterwards",
        mend_here="SQL: `update ops.settings set value = 'on' where name = 'signals_enabled';`",
        ask=ask_kill_switch,
        needs=("migrations",),
    ),
    Check(
        name="incidents",
        expected="no incident is open",
        meaning="something is abnormal; error: signals are late or lost, or will be",
        mend_here="`closebell incidents list`; what to do: docs/runbook.md",
        ask=ask_incidents,
        needs=("migrations",),
    ),
    Check(
        name="backup",
        expected="the newest backup at most 2 days old; on this machine none is needed",
        meaning="if the database were lost now, so would be all since then",
        mend_here="`closebell backup FOLDER`",
        mend_deployed="`closebell backup s3://BUCKET/PREFIX`, and each night from cron or GitHub"
        " Actions",
        ask=ask_backup,
        needs=("migrations",),
    ),
)


def table() -> str:
    """Return the table of docs/doctor.md."""
    lines = [
        "| check | expected | otherwise | type here | deployed | needs |",
        "|---|---|---|---|---|---|",
    ]
    for check in CHECKS:
        deployed = check.mend_deployed or "the same"
        cells = (f"`{check.name}`", check.expected, check.meaning, check.mend_here, deployed)
        lines.append(f"| {' | '.join(cells)} | {', '.join(check.needs) or '–'} |")
    return "\n".join((*lines, ""))


if __name__ == "__main__":
    import sys

    sys.stdout.write(table())
