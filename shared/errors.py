"""Every error Closebell raises on purpose; the leaf tells the caller what to do.

```
ClosebellError
├─ FeedError    FeedDisconnected, FeedStalled (reconnect) · FeedRefused (wait as told, or move)
│               SequenceGap (repair) · MalformedMessage (count, keep raw, go on)
├─ StoreError   StoreUnavailable (retry, bounded) · StaleData (skip this slot, say so)
│               FrameUnreadable (treat as missing, never guess)
├─ RunError     InvalidRequest (400) ─ InvalidRule (400, line and column)
│               Unauthorized (401) · Forbidden (403) · NotFound (404) · TooManyRequests (429)
│               SlotAlreadyDone (200, no-op) · DeadlineExceeded (stop cleanly)
│               StepFailed (mend it, run the same command again)
└─ ConfigError  (refuse to start)
```

Not here: assertions about our own mistakes. `docs/errors.md` explains each code to an operator.
"""

from __future__ import annotations

from typing import Any


class ClosebellError(Exception):
    """Base of the tree.

    `message` says what was expected and what was found; `hint` is what the operator types or does
    next; `context` holds the fields a log line needs.
    """

    def __init__(self, message: str, *, hint: str = "", **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    @property
    def code(self) -> str:
        """Return the name of the leaf: the code shown in replies, logs and docs/errors.md."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class FeedError(ClosebellError):
    """Something is wrong between a venue and the collector."""


class FeedDisconnected(FeedError):
    """The socket ended: reconnect."""


class FeedStalled(FeedError):
    """The socket is open and silent: drop it and reconnect."""


class FeedRefused(FeedError):
    """The venue refuses us (429, 418, 403, 451): wait `retry_after_s`, or do as the hint says."""

    def __init__(
        self, message: str, *, hint: str = "", retry_after_s: float = 0.0, **context: Any
    ) -> None:
        super().__init__(message, hint=hint, **context)
        self.retry_after_s = retry_after_s


class SequenceGap(FeedError):
    """Something is missing in a sequence: repair before use."""


class MalformedMessage(FeedError):
    """A message that does not have its documented shape: count it, keep it, go on."""


class StoreError(ClosebellError):
    """Something is wrong between us and Redis or Postgres."""


class StoreUnavailable(StoreError):
    """No answer, or a temporary refusal: retry, bounded."""


class StaleData(StoreError):
    """The data for this slot is not there (yet): skip it and say so."""


class FrameUnreadable(StoreError):
    """A frame of another version, or damaged: treated as missing, never guessed."""


class RunError(ClosebellError):
    """A request or a run that cannot be carried out."""


class InvalidRequest(RunError):
    """The request is wrong: `field` names where."""

    def __init__(self, message: str, *, hint: str = "", field: str = "", **context: Any) -> None:
        super().__init__(message, hint=hint, **context)
        self.field = field


class InvalidRule(InvalidRequest):
    """The rule text is wrong at `line` and `column` (both from 1)."""

    def __init__(
        self,
        message: str,
        *,
        line: int = 1,
        column: int = 1,
        suggestion: str = "",
        hint: str = "",
        **context: Any,
    ) -> None:
        super().__init__(message, hint=hint, field="rule", **context)
        self.line = line
        self.column = column
        self.suggestion = suggestion


class Unauthorized(RunError):
    """No valid signature or token."""


class Forbidden(RunError):
    """A valid identity without the right, or over its quota."""


class NotFound(RunError):
    """No such thing, or none of the caller's."""


class TooManyRequests(RunError):
    """Over the rate limit of the caller's tier: slow down."""


class SlotAlreadyDone(RunError):
    """Somebody finished, or is working on, this run: nothing to do."""


class DeadlineExceeded(RunError):
    """The time for this request is over: what is unfinished stays for the next tick."""


class StepFailed(RunError):
    """A step of a deployment failed: mend it and run the same command, which goes on there."""


class ConfigError(ClosebellError):
    """A setting is missing, unknown or impossible: refuse to start, naming it."""
