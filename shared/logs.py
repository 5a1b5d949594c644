"""Log lines as JSON on stdout; events are `noun_verbed` with fields.

Called once by each wiring (collector/run.py, functions/main.py). Secrets are never logged: a
field whose name says it holds one is replaced before it is written.
"""

from __future__ import annotations

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

SECRET_FIELD = re.compile(r"token|secret|password|authorization|apikey|api_key|signature|dsn", re.I)


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the value of each field whose name says that it is a secret."""
    for field in event:
        if SECRET_FIELD.search(field):
            event[field] = "[hidden]"
    return event


def configure_logs(source: str, level: int = logging.INFO) -> None:
    """Write every log line of this process as one JSON object, with `source` and a UTC `at`."""

    # Here, because it uses hide_secrets.
    from shared.crash_reports import report_crash

    def add_source(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["source"] = source
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
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
