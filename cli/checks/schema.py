"""What is in sql/ against what is in the database: migrations, routines, timetable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.checks.check import FIX, Finding, fault, ok, skipped, warning
from cli.checks.ground import Ground
from cli.settings import PROJECT
from shared.migrations import compare_history, load_migrations

SQL = PROJECT / "sql"
UP = "python -m local.migrate up"
# The name of the repair in fixes.py.
MIGRATE = "migrate"
LISTED_MAX = 3
PAUSED = "paused"
_BODY = re.compile(r"\bas\s+(\$\w*\$)(?P<body>.*?)\1", re.DOTALL | re.IGNORECASE)


async def ask_migrations(ground: Ground) -> Finding:
    """Compare the history of the database with sql/migrations."""
    if not (SQL / "migrations").is_dir():
        return skipped(f"{SQL} is not here")
    row = await ground.fetch_one(
        "select to_regclass('supabase_migrations.schema_migrations') is not null as has_history"
    )
    applied: dict[str, list[str]] = {}
    if row["has_history"]:
        rows = await ground.fetch(
            "select version, coalesce(statements, '{}') as statements"
            " from supabase_migrations.schema_migrations"
        )
        applied = {row["version"]: row["statements"] for row in rows}
    states = compare_history(load_migrations(SQL / "migrations"), applied)
    return judge_migrations(states, is_local=ground.is_local)


def judge_migrations(states: Sequence[tuple[str, str]], *, is_local: bool) -> Finding:
    """Judge (file or version, applied | missing | edited | unknown)."""
    by_state = {
        state: [name for name, found in states if found == state]
        for state in ("applied", "missing", "edited", "unknown")
    }
    if by_state["unknown"]:
        return fault(
            f"the database has {_listed(by_state['unknown'])}, which is not in sql/migrations",
            "git pull; after it: another project's database, see DATABASE_URL in .env",
        )
    if by_state["edited"]:
        return fault(
            f"{_listed(by_state['edited'])} edited since it was applied",
            "git checkout sql/migrations",
        )
    if by_state["missing"]:
        return fault(
            f"{_listed(by_state['missing'])} missing",
            _up(is_local),
            fix=MIGRATE if is_local else "",
        )
    return ok(f"{len(by_state['applied'])} applied, none missing or edited")


async def ask_routines(ground: Ground) -> Finding:
    """Compare the body of each routine with its file."""
    files = {
        f"{path.parent.name}.{path.stem}": path
        for path in sorted((SQL / "routines").glob("*/*.sql"))
    }
    if not files:
        return skipped(f"{SQL / 'routines'} is not here")
    rows = await ground.fetch(
        "select pronamespace::regnamespace::text || '.' || proname as name, prosrc as body"
        " from pg_proc where pronamespace::regnamespace::text = any (%s)",
        sorted({name.partition(".")[0] for name in files}),
    )
    stored: dict[str, list[str]] = {}
    for row in rows:
        stored.setdefault(row["name"], []).append(row["body"])
    return judge_routines(
        {name: body_of(path) for name, path in files.items()}, stored, is_local=ground.is_local
    )


def body_of(path: Path) -> str:
    """Return what a routine's file has between its dollar quotes; empty: it has none."""
    match = _BODY.search(path.read_text("utf-8"))
    return match["body"] if match else ""


def judge_routines(
    files: Mapping[str, str], stored: Mapping[str, Sequence[str]], *, is_local: bool
) -> Finding:
    """Judge the bodies of the files against those in the database, by schema.name."""
    missing = [name for name in files if name not in stored]
    old = [
        name for name, body in files.items() if body and name in stored and body not in stored[name]
    ]
    if not missing and not old:
        return ok(f"{len(files)} as in sql/routines")
    words = [
        f"{_listed(names)} {state}"
        for names, state in ((missing, "missing"), (old, "other than in its file"))
        if names
    ]
    return fault("; ".join(words), _up(is_local), fix=MIGRATE if is_local else "")


async def ask_timetable(ground: Ground) -> Finding:
    """Compare the page sql/schedules.sql with what cron runs, and look for pauses."""
    row = await ground.fetch_one(
        "select count(*) as jobs_count from cron.job where database = current_database()"
    )
    page = SQL / "schedules.sql"
    if page.is_file():
        # The page is one call that applies it; the same page can be compared instead.
        text = page.read_text("utf-8").replace("ops.apply(", "ops.diff(")
        rows = await ground.fetch(text)
    else:
        rows = await ground.fetch("select * from ops.diff()")
    problems = [(found["name"], f"{found['change']}, {found['detail']}") for found in rows]
    paused = await ground.fetch("select name from ops.schedules where paused_until > now()")
    problems += [(found["name"], PAUSED) for found in paused]
    return judge_timetable(problems, row["jobs_count"], is_local=ground.is_local)


def judge_timetable(
    problems: Sequence[tuple[str, str]], jobs_count: int, *, is_local: bool
) -> Finding:
    """Judge (name, problem) of the jobs that are not as the page says."""
    if not problems:
        return ok(f"{jobs_count} jobs as in sql/schedules.sql")
    broken = [f"{name}: {what}" for name, what in problems if what != PAUSED]
    if broken:
        if all(_is_foreign(what) for what in broken):
            # A job that nobody's page has is a person's: it is reported and left alone.
            foreign = next(name for name, what in problems if _is_foreign(what))
            return fault("; ".join(broken), f"SQL: select cron.unschedule('{foreign}');")
        return fault("; ".join(broken), _up(is_local), fix=MIGRATE if is_local else "")
    names = ", ".join(name for name, _ in problems)
    return warning(f"paused: {names}", f"closebell schedules resume {problems[0][0]}")


def _is_foreign(problem: str) -> bool:
    return "not on the page" in problem or "unmanaged" in problem


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED_MAX])
    more = len(names) - LISTED_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _up(is_local: bool) -> str:
    return FIX if is_local else UP
