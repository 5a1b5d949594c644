"""Reports of unexpected errors to Sentry, where SENTRY_DSN is set; else nothing, not even imported.

What Closebell raises on purpose is in the log with its code and is not reported. Nothing that was
asked of us leaves in a report: no bodies, headers, cookies, local variables or lines of the log.
What is left goes through the filter of the log, and no secret of the settings is in it. Called by
the wirings (start) and the logger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from structlog.typing import EventDict, WrappedLogger

from shared.errors import ConfigError
from shared.logs import hide_secrets

DEPTH_MAX = 20
FLUSH_TIMEOUT_S = 2.0
# A shorter value would hide half of what is said.
SECRET_CHARACTERS_MIN = 8

_secrets: set[str] = set()
_is_started = False


def start_crash_reports(settings: BaseSettings, source: str, release: str) -> bool:
    """Report unexpected errors to `settings.sentry_dsn` from now on; False if it is empty.

    No secret among the settings is in a report. Raises: ConfigError if the package is missing or
    the address is none.
    """
    global _is_started
    values = (getattr(settings, name) for name in type(settings).model_fields)
    secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
    _secrets.update(secret for secret in secrets if len(secret) >= SECRET_CHARACTERS_MIN)
    dsn: SecretStr = getattr(settings, "sentry_dsn", SecretStr(""))
    if not dsn.get_secret_value():
        return False
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.integrations.excepthook import ExcepthookIntegration
        from sentry_sdk.utils import BadDsn
    except ImportError as error:
        raise ConfigError(
            "expected the package sentry-sdk with SENTRY_DSN, was not installed",
            hint="uv sync --group sentry, or leave SENTRY_DSN empty",
        ) from error
    try:
        sentry_sdk.init(
            dsn.get_secret_value(),
            release=f"closebell@{release}",
            server_name=source,
            before_send=_scrub_event,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[
                ExcepthookIntegration(),
                DedupeIntegration(),
                AtexitIntegration(callback=lambda _pending, _timeout: None),
            ],
            shutdown_timeout=FLUSH_TIMEOUT_S,
        )
    except BadDsn as error:
        raise ConfigError(
            "expected SENTRY_DSN as https://key@host/project, was another text"
        ) from error
    _is_started = True
    return True


def report_crash(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Report the exception of a log line, if it has one; a processor of the logger."""
    error = event.get("exc_info")
    if _is_started and isinstance(error, BaseException):
        import sentry_sdk

        with sentry_sdk.new_scope() as scope:
            scope.set_tag("event", str(event.get("event", "")))
            scope.set_tag("function", str(event.get("function", "")))
            scope.set_extra("error_id", event.get("error_id"))
            scope.set_extra("run_id", event.get("run_id"))
            scope.capture_exception(error)
    return event


def _scrub_event(event: Any, _hint: Mapping[str, Any]) -> Any:
    """Return an event without secrets, and without what is known of the machine and the caller."""
    for part in ("request", "user", "breadcrumbs", "modules"):
        event.pop(part, None)
    return _scrub(event, 0)


def _scrub(value: Any, depth: int) -> Any:
    if depth > DEPTH_MAX:
        return "[cut]"
    if isinstance(value, Mapping):
        hidden = hide_secrets(None, "error", dict(value))
        return {key: _scrub(held, depth + 1) for key, held in hidden.items()}
    if isinstance(value, list | tuple):
        return [_scrub(held, depth + 1) for held in value]
    if isinstance(value, str):
        for secret in _secrets:
            value = value.replace(secret, "[hidden]")
    return value
