"""What amounts cost: the plans of prices.toml, the cheapest of each service, and the bill.

Pure but for reading the file that came with the release. Not here: how amounts come about
(plan.py for a configuration, ops.budget for the running system).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

PRICES = Path(__file__).parent / "prices.toml"
HOSTS = ("fly", "cloud-run")
# How the addresses end that they give; a domain of one's own says nothing.
_ADDRESSES = {".fly.dev": "fly", ".run.app": "cloud-run"}


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`usd` for each `per` of a meter's unit, in proportion."""

    per: float
    usd: float


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a host offers for a month; see the head of prices.toml."""

    service: str
    name: str
    source: str
    seen: date
    verified: bool
    host: str = ""
    note: str = ""
    memory_bytes: float = math.inf
    monthly_usd: float = 0.0
    included: dict[str, float] = {}
    price: dict[str, Price] = {}

    def holds(self, usage: Mapping[str, float]) -> bool:
        """Return whether these amounts can be had under this plan."""
        return all(
            usage.get(meter, 0.0) <= included
            for meter, included in self.included.items()
            if meter not in self.price
        )

    def usd_of(self, meter: str, amount: float) -> float:
        """Return what an amount of one meter costs beside the monthly price."""
        price = self.price.get(meter)
        if price is None:
            return 0.0
        return max(0.0, amount - self.included.get(meter, 0.0)) / price.per * price.usd

    def usd(self, usage: Mapping[str, float]) -> float:
        """Return what these amounts cost in a month."""
        return self.monthly_usd + sum(
            self.usd_of(meter, usage.get(meter, 0.0)) for meter in self.price
        )


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One service on a bill. `because`: meters that the free plan does not hold, if it does not."""

    service: str
    plan: Plan
    usd: float
    because: tuple[str, ...] = ()


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """An amount against what is free: `share` 1 is all of it; `paid_usd` at the paid price."""

    meter: str
    amount: float
    free: float | None = None
    share: float | None = None
    paid_usd: float = 0.0


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a month costs, by service and by meter; `first` breaks first (largest share)."""

    lines: tuple[Line, ...]
    shares: tuple[Share, ...]
    usd: float
    first: Share | None = None

    @property
    def arithmetic(self) -> str:
        """Return the sum as a person would write it."""
        parts = []
        for line in self.lines:
            if line.usd == 0:
                continue
            why = f" ({', '.join(word(m) for m in line.because)})" if line.because else ""
            parts.append(f"${line.usd:.2f} {line.plan.name}{why}")
        return f"{' + '.join(parts) or '$0.00'} = ${self.usd:.2f} a month"

    @property
    def function_memory_bytes(self) -> float:
        """Return what the machine of the functions has for their process."""
        return next(line.plan.memory_bytes for line in self.lines if line.service == "functions")


def load_prices(path: Path = PRICES) -> tuple[Plan, ...]:
    """Return the plans of the file, in its order: of each service the free one first."""
    document = tomllib.loads(path.read_text("utf-8"))
    return tuple(msgspec.convert(document["plans"], list[Plan], strict=False))


def plans_for(
    plans: Sequence[Plan], functions_on: str, memory_bytes: float = 0.0
) -> tuple[Plan, ...]:
    """Return the plans when the functions run on that host, on its smallest machine with the memory
    (or its largest); the collector is always on Fly.
    """
    machines = [p for p in plans if p.service == "functions" and p.host == functions_on]
    machine = next((p for p in machines if p.memory_bytes >= memory_bytes), machines[-1])
    return tuple(p for p in plans if p.service != "functions" or p is machine)


def bills_by_host(
    usage: Mapping[str, float], plans: Sequence[Plan], memory_bytes: float = 0.0
) -> dict[str, Bill]:
    """Return the bill for each place where the functions may run: the cheapest first that has the
    memory.
    """
    bills = [(host, make_bill(usage, plans_for(plans, host, memory_bytes))) for host in HOSTS]
    return dict(
        sorted(bills, key=lambda one: (one[1].function_memory_bytes < memory_bytes, one[1].usd))
    )


def host_of(url: str) -> str | None:
    """Return the host that serves an address of the functions; None where it is neither."""
    name = urlsplit(url).hostname or ""
    return next((host for end, host in _ADDRESSES.items() if name.endswith(end)), None)


def make_bill(usage: Mapping[str, float], plans: Sequence[Plan]) -> Bill:
    """Return the cheapest bill for the amounts of a month.

    A service none of whose plans holds them is billed at its largest plan.
    """
    lines, shares = [], []
    for service in dict.fromkeys(plan.service for plan in plans):
        offers = [plan for plan in plans if plan.service == service]
        free = offers[0]
        chosen = min(
            [plan for plan in offers if plan.holds(usage)] or offers[-1:],
            key=lambda plan: plan.usd(usage),
        )
        over = tuple(m for m, most in free.included.items() if usage.get(m, 0.0) > most)
        lines.append(
            Line(service=service, plan=chosen, usd=round(chosen.usd(usage), 4), because=over)
        )
        paid = offers[-1]
        for meter in dict.fromkeys((*free.included, *free.price)):
            if meter not in usage:
                continue
            amount, included = usage[meter], free.included.get(meter)
            shares.append(
                Share(
                    meter=meter,
                    amount=amount,
                    free=included,
                    share=None if included is None else amount / included,
                    paid_usd=round(paid.usd_of(meter, amount), 4),
                )
            )
    limited = [share for share in shares if share.share is not None]
    return Bill(
        lines=tuple(lines),
        shares=tuple(shares),
        usd=round(sum(line.usd for line in lines), 2),
        first=max(limited, key=lambda share: share.share or 0.0, default=None),
    )


def word(meter: str) -> str:
    """Return a meter's name as people read it."""
    return meter.replace("_", " ")
