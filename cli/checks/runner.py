"""Runs checks at once, each within its time, those that need others after them.

Not here: what a check asks. Nothing a check raises ends the doctor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any

import msgspec

from cli.checks.check import Check, Finding, Outcome, Verdict, fault, skipped
from cli.checks.ground import Ground
from shared.errors import ClosebellError, InvalidRequest

CHECK_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0

Tell = Callable[[Outcome], None]


async def run_checks(
    checks: Sequence[Check],
    ground: Ground,
    tell: Tell,
    *,
    check_timeout_s: float = CHECK_TIMEOUT_S,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> list[Outcome]:
    """Return the outcomes in the order of the checks; `tell` gets each as soon as all before it are
    known.
    """
    asyncio.get_running_loop().set_default_executor(_DaemonThreads())
    deadline_s = time.monotonic() + total_timeout_s
    tasks: dict[str, asyncio.Task[Outcome]] = {}
    for check in checks:
        needed = [(name, tasks[name]) for name in check.needs]
        tasks[check.name] = asyncio.create_task(
            _run_one(check, needed, ground, check_timeout_s, deadline_s), name=check.name
        )
    outcomes = []
    for task in tasks.values():
        outcomes.append(await task)
        tell(outcomes[-1])
    return outcomes


def select_checks(checks: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """Return the named checks and those they need, in their order; all without names.

    Raises: InvalidRequest, with the nearest name, for an unknown one.
    """
    if not names:
        return list(checks)
    by_name = {check.name: check for check in checks}
    wanted: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in by_name:
            from difflib import get_close_matches

            near = get_close_matches(name, by_name, n=1)
            raise InvalidRequest(
                f"expected a check, was {name}",
                hint=f"did you mean {near[0]}?" if near else "one of: " + ", ".join(by_name),
                field="check",
            )
        if name not in wanted:
            wanted.add(name)
            todo.extend(by_name[name].needs)
    return [check for check in checks if check.name in wanted]


async def _run_one(
    check: Check,
    needed: Sequence[tuple[str, asyncio.Task[Outcome]]],
    ground: Ground,
    timeout_s: float,
    deadline_s: float,
) -> Outcome:
    for name, task in needed:
        if (await task).verdict in (Verdict.FAULT, Verdict.SKIPPED):
            return _outcome(check, skipped(f"needs {name}"), 0.0)
    began_s = time.monotonic()
    allowed_s = max(0.0, min(timeout_s, deadline_s - began_s))
    try:
        async with asyncio.timeout(allowed_s):
            finding = await check.ask(ground)
    except TimeoutError:
        finding = fault(f"no answer in {allowed_s:.1f} s")
    except ClosebellError as error:
        missing = error.context.get("setting")
        finding = skipped(f"needs {missing}") if missing else fault(error.message, error.hint)
    # A doctor that dies of one patient helps nobody: the check is at fault, and says how.
    except Exception as error:
        finding = fault(f"the check itself failed: {type(error).__name__}: {error}")
    if not finding.mend and finding.verdict in (Verdict.FAULT, Verdict.WARNING):
        # The same words as in docs/doctor.md, without the marks of its code.
        mend = (not ground.is_local and check.mend_deployed) or check.mend_here
        finding = msgspec.structs.replace(finding, mend=mend.replace("`", ""))
    return _outcome(check, finding, (time.monotonic() - began_s) * 1000)


def _outcome(check: Check, finding: Finding, took_ms: float) -> Outcome:
    return Outcome(
        name=check.name,
        verdict=finding.verdict,
        expected=check.expected,
        found=finding.found,
        mend=finding.mend,
        fix=finding.fix,
        took_ms=round(took_ms, 1),
    )


class _DaemonThreads(ThreadPoolExecutor):
    """Threads that do not hold up the end of the process: looking up a name knows no time-out."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        Thread(target=run, daemon=True).start()
        return future
