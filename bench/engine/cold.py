"""A cold start: `python -m bench.engine.cold FOLDER RULES` in a fresh interpreter.

Prints the milliseconds of import, reading the rules, planning and the first evaluation. Imports
nothing before the clock but what it needs to read it.
"""

from __future__ import annotations

import sys
import time


def main(folder: str, count: int) -> None:
    """Measure and print."""
    began = time.perf_counter()
    import json

    import numpy as np

    from bench.engine.market import window_of
    from shared.memory import keep_freed_memory
    from shared.rules import build_plan, evaluate, parse_rule

    keep_freed_memory()
    imported = time.perf_counter()
    window = window_of(np.load(f"{folder}/columns.npy"))
    with open(f"{folder}/rules.json") as file:
        texts = json.load(file)[:count]
    loaded = time.perf_counter()
    rules = [parse_rule(text) for text in texts]
    parsed = time.perf_counter()
    plan = build_plan(rules)
    planned = time.perf_counter()
    evaluate(plan, window).state(0)
    evaluated = time.perf_counter()
    steps = {
        "import": imported - began,
        "parse": parsed - loaded,
        "plan": planned - parsed,
        "evaluate": evaluated - planned,
    }
    sys.stdout.write(json.dumps({name: 1000 * step for name, step in steps.items()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
