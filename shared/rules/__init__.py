"""The rule language: text → checked tree → plan → verdicts → explanation.

    rules = [parse_rule(text) for text in texts]
    verdicts = evaluate(build_plan(rules), window)
    verdicts.state(0)          # int8[symbols]: 1 true, 0 false, -1 unknown

Pure: no clock, socket, store, environment or logger. docs/rules/ is the language, for users.
"""

from shared.rules.closes import evaluate_closes
from shared.rules.evaluate import evaluate
from shared.rules.explain import Explanation
from shared.rules.language import parse_rule
from shared.rules.plan import build_plan
from shared.rules.program import Plan
from shared.rules.registry import ALIASES, CROSS_SECTIONAL, FUNCTIONS, SERIES
from shared.rules.source import excerpt
from shared.rules.tree import W_BARS, Rule, RuleLimits
from shared.rules.verdicts import FALSE, TRUE, UNKNOWN, Verdicts

__all__ = [
    "ALIASES",
    "CROSS_SECTIONAL",
    "FALSE",
    "FUNCTIONS",
    "SERIES",
    "TRUE",
    "UNKNOWN",
    "W_BARS",
    "Explanation",
    "Plan",
    "Rule",
    "RuleLimits",
    "Verdicts",
    "build_plan",
    "evaluate",
    "evaluate_closes",
    "excerpt",
    "parse_rule",
]
