"""Log lines as JSON on stdout; events are `noun_verbed` with fields.

Called once by each wiring (collector/run.py, functions/main.py). Secrets are never logged: they
are found by the name of their field, their shape or their value (hidden.py) before a line is
written, or handed on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from shared.hidden import hide_value


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what is secret, in nested fields and texts, too."""
    for field in event:
        event[field] = hide_value(event[field], field)
    return event


def configure_logs(
    source: str,
    level: int = logging.INFO,
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Write every log line of this process as one JSON object, with `source` and a UTC `at`.

    `keep` gets a copy of each line as it is written; it must return at once.
    """

    # Here, because it uses hide_secrets.
    from shared.crash_reports import report_crash

    def add_source(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["source"] = source
        return event

    def hand_on(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if keep is not None:
            keep(dict(event))
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            add_source,
            report_crash,
            structlog.processors.format_exc_info,
            hide_secrets,
            hand_on,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
