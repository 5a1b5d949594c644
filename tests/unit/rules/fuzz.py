"""Millions of random texts through the parser: `make fuzz`, or python -m tests.unit.rules.fuzz.

A text makes a rule or InvalidRule at a place in the text, and nothing else. A rule is the same
after reading its canonical text. Some rules are carried out on uneven bars. Texts come in chunks
of their own seed, so that one that fails is found again with --chunk.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
import warnings
from collections.abc import Sequence
from itertools import count

import msgspec
import numpy as np
from rich.progress import Progress

from shared.errors import InvalidRule
from shared.market.frame import Feed
from shared.market.interval import DAY_MS, HOUR_MS, Interval
from shared.market.window import Window
from shared.rules import Rule, RuleLimits, build_plan, evaluate, parse_rule
from tests.unit.rules.fuzz_texts import OWN_INTERVALS, RuleTexts
from tests.unit.rules.windows import uneven_columns

CHUNK_TEXTS = 10_000
# Rules are planned and evaluated so many at once, as in a run; some of those a chunk yields.
PLAN_RULES = 100
PLANS_PER_CHUNK = 2
BARS, LONGER_BARS, SYMBOLS = 130, 40, 8
# A chained comparison, or a bare name, is longer in its canonical spelling.
WIDE = RuleLimits(text_characters_max=50_000, nodes_max=5_000, depth_max=64, cost_max=3_000)
FAILURES_SHOWN = 10


class Failure(msgspec.Struct, frozen=True):
    """A text on which the parser, the plan or the evaluation did not keep its word."""

    chunk: int
    text: str
    interval: Interval | None
    problem: str


class Chunk(msgspec.Struct, frozen=True):
    """What came of one chunk of texts."""

    texts: int
    rules: int
    evaluated: int
    failures: tuple[Failure, ...]


def read(text: str, interval: Interval | None) -> Rule | None:
    """Return the rule of a text, None if it is properly refused. Raises: AssertionError."""
    try:
        rule = parse_rule(text, interval=interval)
    except InvalidRule as error:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines), f"line {error.line}"
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1, f"column {error.column}"
        shown, caret = error.context["excerpt"].split("\n")
        assert caret == " " * (error.column - 1) + "^", f"caret {caret!r}"
        assert len(shown) <= len(lines[error.line - 1]), "excerpt"
        assert error.message and error.message.isprintable(), f"message {error.message!r}"
        assert str(error).encode(), "not encodable"
        return None
    again = parse_rule(rule.canonical, WIDE, interval=interval)
    assert again.tree == rule.tree, f"read back otherwise: {rule.canonical}"
    assert again.canonical == rule.canonical, f"spelled otherwise: {again.canonical}"
    assert again.bars_needed == rule.bars_needed <= RuleLimits().window_bars_max
    assert (again.names, again.intervals) == (rule.names, rule.intervals)
    return rule


def carry_out(rules: Sequence[Rule], interval: Interval, seed: int) -> None:
    """Plan and evaluate rules of one interval together. Raises: what goes wrong."""
    plan = build_plan(rules)
    longer = {other: _window(other, LONGER_BARS, seed) for other in plan.intervals}
    draw = random.Random(seed)
    for other in list(longer):
        if draw.random() < 0.15:
            del longer[other]
    window = _window(interval, BARS, seed)
    for bars_back in (0, 1):
        verdicts = evaluate(plan, window, bars_back, longer=longer)
        states = verdicts.states()
        assert states.shape == (len(rules), SYMBOLS)
        assert np.isin(states, (-1, 0, 1)).all()
        for index in draw.sample(range(len(rules)), min(len(rules), 10)):
            symbol = draw.randrange(SYMBOLS)
            reason = verdicts.unknown_reason(index, symbol)
            assert (reason is not None) == (states[index, symbol] == -1), rules[index].canonical
            assert all(np.isfinite(v) for v in verdicts.values(index, symbol).values())
            assert verdicts.tree(index, symbol).text == rules[index].canonical


def _window(interval: Interval, bars: int, seed: int) -> Window:
    """Return uneven bars up to an hour of the day at which some longer intervals do not close."""
    newest_ms = interval.floor_ms(100 * DAY_MS + (seed % 24) * HOUR_MS) - interval.duration_ms
    symbols = [f"S{index}USDT" for index in range(SYMBOLS)]
    if seed % 2 and interval.duration_ms > 4 * HOUR_MS:
        symbols.reverse()
    return Window(
        venue="binance",
        interval=interval,
        symbols=tuple(symbols),
        open_times_ms=newest_ms - interval.duration_ms * np.arange(bars - 1, -1, -1),
        columns=uneven_columns(seed, bars, SYMBOLS),
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )


def run_chunk(
    seed: int, chunk: int, texts: int = CHUNK_TEXTS, plans: int = PLANS_PER_CHUNK
) -> Chunk:
    """Return what comes of one chunk."""
    source = RuleTexts(f"{seed}:{chunk}")
    rules: dict[Interval | None, list[Rule]] = {interval: [] for interval in OWN_INTERVALS}
    failures: list[Failure] = []
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(texts):
            text, interval = source.next()
            try:
                rule = read(text, interval)
            except Exception as error:
                failures.append(Failure(chunk, text, interval, f"{type(error).__name__}: {error}"))
                continue
            if rule is not None:
                found += 1
                rules[rule.interval].append(rule)
        evaluated = 0
        for plan in range(plans):
            interval = (Interval.M1, Interval.M5, Interval.H1, Interval.H4)[(chunk + plan) % 4]
            # Half of a plan are rules of this interval, as far as there are any.
            own, free = rules[interval], rules[None]
            some = own[plan * PLAN_RULES // 2 :][: PLAN_RULES // 2]
            some += free[plan * PLAN_RULES :][: PLAN_RULES - len(some)]
            failures += _carried_out(some, interval, chunk)
            evaluated += len(some)
    return Chunk(texts, found, evaluated, tuple(failures))


def _carried_out(rules: list[Rule], interval: Interval, chunk: int) -> list[Failure]:
    try:
        carry_out(rules, interval, chunk)
    except Exception as error:
        if len(rules) == 1:
            problem = f"{type(error).__name__}: {error}"
            return [Failure(chunk, rules[0].text, interval, problem)]
        # Which one: alone, or else with the others only.
        alone = [found for rule in rules for found in _carried_out([rule], interval, chunk)]
        together = f"{type(error).__name__}: {error}, in a plan of {len(rules)}"
        return alone or [Failure(chunk, rules[0].text, interval, together)]
    return []


def _run_chunk(arguments: tuple[int, int]) -> Chunk:
    return run_chunk(*arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as many texts as asked for; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000_000, help="how many texts")
    parser.add_argument("--seed", type=int, default=None, help="of all; default: a new one")
    parser.add_argument("--chunk", type=int, default=None, help="only this chunk, in this process")
    parser.add_argument("--processes", type=int, default=None, help="default: one a core")
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
    if asked.chunk is not None:
        return _report(seed, [run_chunk(seed, asked.chunk)], 0.0)

    chunks = max(1, -(-asked.count // CHUNK_TEXTS))
    started_s = time.monotonic()
    done: list[Chunk] = []
    failed = count()
    with multiprocessing.Pool(asked.processes) as pool, Progress() as progress:
        bar = progress.add_task(f"seed {seed}", total=chunks * CHUNK_TEXTS)
        work = ((seed, chunk) for chunk in range(chunks))
        for result in pool.imap_unordered(_run_chunk, work):
            done.append(result)
            progress.advance(bar, result.texts)
            if result.failures and next(failed) >= FAILURES_SHOWN:
                break
    return _report(seed, done, time.monotonic() - started_s)


def _report(seed: int, chunks: Sequence[Chunk], took_s: float) -> int:
    failures = [failure for chunk in chunks for failure in chunk.failures]
    for failure in failures[:FAILURES_SHOWN]:
        interval = None if failure.interval is None else str(failure.interval)
        print(f"FAILED {failure.problem}")
        print(f"  text {failure.text!a} on {interval}")
        print(f"  again: python -m tests.unit.rules.fuzz --seed {seed} --chunk {failure.chunk}")
    texts, rules = sum(chunk.texts for chunk in chunks), sum(chunk.rules for chunk in chunks)
    print(
        f"{texts:,} texts of seed {seed} in {took_s:.0f} s: {rules:,} rules,"
        f" {sum(chunk.evaluated for chunk in chunks):,} of them evaluated,"
        f" {len(failures)} failures"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
