"""Whether a planned configuration stays within its bounds, and the sentence if it does not. Pure.

The commands are judged as the collector judges them when it starts (commands.py): the same
arithmetic, so that what is planned is what will be refused.
"""

from __future__ import annotations

from shared.cost.commands import check_budget, plan_commands
from shared.cost.memory import function_memory_bytes
from shared.cost.plan import Configuration
from shared.cost.prices import Bill, word
from shared.errors import ConfigError, InvalidRequest


def check_plan(asked: Configuration, bill: Bill, *, usd_max: float, commands_max: int) -> None:
    """Raise InvalidRequest with the arithmetic if the configuration breaks its budget,
    or no machine holds it.
    """
    try:
        check_budget(plan_commands(asked.intervals, commands_max))
    except ConfigError as error:
        raise InvalidRequest(
            f"the collector would refuse to start: {error.message}",
            hint="fewer intervals, or --commands-max with more",
            field="intervals",
        ) from error
    if bill.usd > usd_max:
        raise InvalidRequest(
            f"expected at most ${usd_max:.2f} a month, was {bill.arithmetic}",
            hint=_advice(bill),
            field="budget",
        )
    memory_bytes = function_memory_bytes(asked)
    if memory_bytes > bill.function_memory_bytes:
        raise InvalidRequest(
            f"expected the functions to take at most {bill.function_memory_bytes / 1e6:,.0f} MB of"
            f" memory, the largest machine that has a price, was {memory_bytes / 1e6:,.0f} MB",
            hint="fewer symbols or traders, or the machine of another host with --functions",
            field="traders",
        )


def _advice(bill: Bill) -> str:
    over = [share for share in bill.shares if share.share is not None and share.share > 1]
    if over:
        worst = max(over, key=lambda share: share.share or 0.0)
        return (
            f"{word(worst.meter)}: {worst.share:.1f} times what is free; "
            "a smaller configuration, or more with --budget"
        )
    if any(line.plan.host == "fly" and line.service == "functions" for line in bill.lines):
        return "functions that are called each minute cost less with --functions cloud-run"
    return "a smaller configuration, or more with --budget"
