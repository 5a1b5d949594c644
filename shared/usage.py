"""Words of the cost meter: what is counted, and how a process reports it.

Pure. The collector sends its report with each poke, the functions store theirs and the
collector's once a minute (functions/usage.py); ops.meters has the same words in SQL.
Not here: what it costs (shared/cost).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

# A week of reports is kept by name; as many as ops.check_usage takes in one call.
REPORTS_MAX = 20
REPORTER_PATTERN = r"^(collector|functions)-[a-z0-9-]{1,50}$"


class Meter(StrEnum):
    """What is counted. Units: `_bytes` bytes, `_seconds` s, `_rows` and the others a count."""

    REDIS_COMMANDS = "redis_commands"
    REDIS_BYTES = "redis_bytes"
    FUNCTION_INVOCATIONS = "function_invocations"
    FUNCTION_SECONDS = "function_seconds"
    FUNCTION_MACHINE_SECONDS = "function_machine_seconds"
    COLLECTOR_SECONDS = "collector_seconds"
    DATABASE_ROWS = "database_rows"
    DATABASE_BYTES = "database_bytes"
    EGRESS_BYTES = "egress_bytes"
    REALTIME_MESSAGES = "realtime_messages"


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one process has used since its start; `reporter` is its name, new at each start.

    Totals and not differences: a report that is lost, repeated or late does no harm.
    """

    reporter: str
    totals: dict[Meter, float]
