"""The schema as pg_dump writes it, without what varies from machine to machine.

`sql/schema.sql` is this text; a test compares it with a database migrated from zero.
Called by `python -m local.migrate dump`. Not here: applying anything.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from shared.errors import ConfigError, StoreUnavailable

DUMP_TIMEOUT_S = 60
# Comments, settings, psql commands (a random key among them) and the platform's own grants.
LEFT_OUT = re.compile(
    r"--|SET |SELECT pg_catalog\.set_config|\\|ALTER DEFAULT PRIVILEGES"
    r"|CREATE SCHEMA public;|.* ON SCHEMA public "
)
QUOTE = re.compile(r"\$\w*\$")


def dump_schema(dsn: str, *, bin_dir: Path | None = None) -> str:
    """Return the definition of `public` and `ops`, normalised.

    `bin_dir`: where pg_dump is, if not on PATH; its version must not be older than the server's.
    Raises: ConfigError without pg_dump, StoreUnavailable with what it said.
    """
    program = str(bin_dir / "pg_dump") if bin_dir else "pg_dump"
    command = (program, "--schema-only", "--no-owner", "--schema=public", "--schema=ops", dsn)
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=DUMP_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "expected pg_dump on PATH, found none", hint="sudo apt-get install postgresql-client"
        ) from error
    if result.returncode != 0:
        raise StoreUnavailable(f"expected pg_dump to succeed, was: {result.stderr.strip()}")
    return normalise_dump(result.stdout)


def normalise_dump(text: str) -> str:
    """Return a dump without the lines LEFT_OUT and without doubled blank lines.

    Bodies of routines (between two equal dollar quotes) are kept as they are.
    """
    kept: list[str] = []
    body_quote = ""
    for line in text.splitlines():
        if not body_quote and LEFT_OUT.match(line):
            continue
        for quote in QUOTE.findall(line):
            if not body_quote:
                body_quote = quote
            elif quote == body_quote:
                body_quote = ""
        if line.strip() or (kept and kept[-1]):
            kept.append(line.rstrip())
    return "\n".join(kept).strip() + "\n"
