"""Our side of the engine's benchmark."""

from __future__ import annotations

import numpy as np

from bench.engine.market import draw_columns, window_of
from bench.engine.ours import hits_of
from bench.traders import draw_rules
from shared.rules import TRUE, build_plan, evaluate, parse_rule


def test_hits_are_what_is_true() -> None:
    # 70 symbols: some words of 64 are not full.
    window = window_of(draw_columns(500, 70))
    rules = [parse_rule(text) for text in [*draw_rules(30), "close > 0", "not close > 0"]]
    verdicts = evaluate(build_plan(rules), window)
    found = set(zip(*(places.tolist() for places in hits_of(verdicts)), strict=True))
    expected = set(map(tuple, np.argwhere(verdicts.states() == TRUE).tolist()))
    assert found == expected and len(expected) >= 70
