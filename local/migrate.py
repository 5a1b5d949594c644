"""The runner of sql/ by hand: `python -m local.migrate up|status|dump [--dsn postgresql://…]`.

Without `--dsn` it is the database of the commands of `closebell`: DATABASE_URL of the environment,
else of `.env`, else of a running `make run`. What the verbs do is in shared/store/migrations.py;
`dump` writes sql/schema.sql anew and needs pg_dump.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dotenv import dotenv_values

from local.schema_dump import dump_schema
from shared.errors import ClosebellError, ConfigError
from shared.store.migrations import SQL, apply_schedules, load_status, migrate

__all__ = ["SQL", "apply_schedules", "load_status", "main", "migrate"]

PROJECT = Path(__file__).resolve().parents[1]
# The first that sets it wins.
SETTINGS_FILES = (PROJECT / ".env", PROJECT / ".local" / "operator.env")


def find_dsn(files: Sequence[Path] = SETTINGS_FILES) -> str:
    """Return DATABASE_URL of the environment, else of the first file that sets it, else nothing."""
    found = (dotenv_values(file).get("DATABASE_URL") for file in files)
    return os.environ.get("DATABASE_URL") or next(filter(None, found), "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.migrate")
    parser.add_argument("verb", choices=("up", "status", "dump"))
    parser.add_argument("--dsn", default=find_dsn())
    options = parser.parse_args(arguments)
    try:
        if not options.dsn:
            raise ConfigError(
                "expected DATABASE_URL, was not set",
                hint="start the local cloud with `make run`, set it in .env, or give --dsn",
            )
        if options.verb == "up":
            done = migrate(options.dsn)
            lines = [f"applied {name}" for name in done.applied]
            lines.append(f"{done.routines_count} routines, {done.schedules_count} schedules")
        elif options.verb == "status":
            lines = [f"{state:8} {name}" for name, state in load_status(options.dsn)]
        else:
            (SQL / "schema.sql").write_text(dump_schema(options.dsn), "utf-8")
            lines = [f"wrote {SQL / 'schema.sql'}"]
    except ClosebellError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
