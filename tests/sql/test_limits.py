"""ops.meters has the words of the meter and the free limits of the price file."""

from __future__ import annotations

import psycopg

from shared.cost.prices import load_prices
from shared.usage import Meter


def test_meters_and_free_limits_are_those_of_the_code(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        rows = connection.execute("select meter, free_limit from ops.meters").fetchall()
    limits = {str(meter): limit for meter, limit in rows}
    assert set(limits) == set(Meter)
    free = {plan.service: plan for plan in reversed(load_prices()) if plan.service != "functions"}
    included = {m: amount for plan in free.values() for m, amount in plan.included.items()}
    assert {m: float(limit) for m, limit in limits.items() if limit is not None} == {
        meter: included[meter] for meter in Meter if meter in included
    }
