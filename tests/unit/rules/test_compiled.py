"""What is compiled: against plain loops and numpy, at odd widths, with gaps and late listings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ConfigError
from shared.rules import compiled
from shared.rules.kernels import Floats
from tests.unit.rules.windows import bits_equal

WIDTHS = (1, 3, 63, 64, 65, 130)


def gappy(seed: int, bars: int, width: int) -> Floats:
    """Return float64[bars, width] with single gaps, a late listing, and a column never known."""
    random = np.random.default_rng(seed)
    values = 100.0 + np.cumsum(random.normal(0.0, 1.0, (bars, width)), axis=0)
    values[random.random(values.shape) < 0.01] = np.nan
    values[: bars // 3, ::5] = np.nan
    values[:, 1::7] = np.nan
    values[:, 0] = 0.1  # 0.1 + 0.1 + 0.1 is not 0.3: flat must stay flat all the same
    return values


def plain_average(source: list[float], alpha: float, n: int) -> list[float]:
    """Return the average of one column, from its definition."""
    found: list[float] = []
    run: list[float] = []
    average = float("nan")
    for value in source:
        if np.isnan(value):
            run = []
            found.append(value)
            continue
        run.append(value)
        if len(run) < n:
            found.append(float("nan"))
            continue
        if len(run) == n:
            average = run[0] + sum(each - run[0] for each in run) / n
        else:
            average += (value - average) * alpha
        found.append(average)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_exponential_equals_the_plain_loop(width: int) -> None:
    source, lengths = gappy(width, 120, width), [1, 2, 9, 60, 120, 121]
    alphas = [2.0 / (n + 1.0) for n in lengths]
    found = compiled.exponential(source, alphas, lengths, 120)
    for series, alpha, n in zip(found, alphas, lengths, strict=True):
        for column in range(width):
            expected = plain_average(source[:, column].tolist(), alpha, n)
            assert series[:, column] == pytest.approx(expected, rel=1e-13, nan_ok=True)
        assert (series[n - 1 :, 0] == 0.1).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_column_has_the_same_bits_whatever_lies_beside_it(width: int) -> None:
    high = gappy(7, 90, width)
    low, close, atr = high - 1.5, high - 0.5, np.abs(gappy(8, 90, width)) * 0.01
    moves = np.abs(gappy(9, 90, width) - 100.0), np.abs(gappy(10, 90, width) - 100.0)

    def lines(some: slice) -> list[Floats]:
        def part(values: Floats) -> Floats:
            return np.ascontiguousarray(values[:, some])

        return [
            compiled.exponential(part(close), [0.2, 0.01], [9, 30], 90),
            compiled.directional(part(moves[0]), part(moves[1]), [5, 14], 90),
            compiled.supertrend(part(high), part(close), [part(atr)], [2.0], 90),
            compiled.parabolic(part(high), part(low), [0.02, 0.3], [0.2, 0.1], 90),
        ]

    together = lines(slice(None))
    assert width < 3 or all(np.isfinite(line).any() for line in together)
    for column in range(width):
        for whole, alone in zip(together, lines(slice(column, column + 1)), strict=True):
            assert bits_equal(whole[:, :, column : column + 1], alone)


def test_adx_after_moves_too_large_to_add_begins_anew_at_the_next_gap() -> None:
    up, down = np.full((40, 1), 1.0), np.full((40, 1), 0.5)
    up[2:5] = down[3] = 1.7e308
    up[10] = np.nan
    found = compiled.directional(up, down, [3], 40)
    assert bits_equal(found[:, 11:], compiled.directional(up[11:], down[11:], [3], 29))
    assert found[0, -1, 0] == pytest.approx(100.0 / 3.0)


def test_supertrend_without_a_close_is_unknown_and_begins_anew() -> None:
    middle, close, atr = np.full((3, 12, 1), 100.0)
    close[5] = np.nan
    found = compiled.supertrend(middle, close, [atr * 0.01], [2.0], 12)[0, :, 0]
    assert np.isnan(found).tolist() == [bar == 5 for bar in range(12)]
    assert (np.delete(found, 5) == 98.0).all()


def test_sources_of_another_type_count_as_numbers() -> None:
    truth = np.array([[True], [False], [True], [False]])
    assert compiled.since(truth, 4)[0, :, 0].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert compiled.sums(np.ones((3, 2), dtype=np.float32), 1).tolist() == [[[3.0, 3.0]]]


def test_settings_and_bits_that_do_not_fit_are_refused() -> None:
    source, bits = np.ones((4, 64)), np.zeros((2, 3, 1), dtype=np.uint64)
    pairs = np.zeros((2, 2), dtype=np.int64)
    refused: list[Callable[[], object]] = [
        lambda: compiled.exponential(source, [0.5, 0.2], [2], 4),
        lambda: compiled.exponential(source, [0.5], [2], 5),
        lambda: compiled.compare(source, pairs, pairs, bits),
        lambda: compiled.compare(source[:, :63].copy(), pairs, pairs[:, :0], bits),
        lambda: compiled.compare(np.ones((4, 128)), pairs, pairs[:, :0], bits),
        lambda: compiled.conjoin(np.array([2]), pairs, pairs, bits),
        lambda: compiled.conjoin(np.array([2]), pairs[:1], pairs[:1], bits.view(np.int64)),
    ]
    for call in refused:
        with pytest.raises(AssertionError):
            call()


def test_compare_equals_numpy() -> None:
    random = np.random.default_rng(3)
    values = random.integers(-3, 4, (40, 192)).astype(np.float64)
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.05] = np.inf
    values[random.random(values.shape) < 0.05] = -0.0
    less, equal = random.integers(0, 40, (2, 70)), random.integers(0, 40, (2, 50))
    bits = np.zeros((2, 120, 3), dtype=np.uint64)
    compiled.compare(values, less, equal, bits)
    known = ~(np.isnan(values[np.hstack([less, equal])]).any(axis=0))
    true = np.vstack([values[less[0]] < values[less[1]], values[equal[0]] == values[equal[1]]])
    assert np.array_equal(bits[0], np.packbits(true, axis=1).view(np.uint64))
    assert np.array_equal(bits[1], np.packbits(known & ~true, axis=1).view(np.uint64))


def test_conjoin_equals_kleenes_table() -> None:
    # Nine columns: condition 0 true, false, unknown, each with condition 1 true, false, unknown.
    states = [(x, y) for x in (1, 0, None) for y in (1, 0, None)]
    where = np.zeros((2, 3, 64), dtype=bool)
    for column, both in enumerate(states):
        for condition, state in enumerate(both):
            where[0, condition, column] = state == 1
            where[1, condition, column] = state == 0
    bits = np.packbits(where, axis=2).view(np.uint64)
    operands, negated = np.array([[0, 1]]), np.array([[0, 1]])  # x and not y
    compiled.conjoin(np.array([2]), operands, negated, bits)
    found = np.unpackbits(np.ascontiguousarray(bits[:, 2]).view(np.uint8), axis=1)[:, : len(states)]
    assert [(true, false) for true, false in found.T.tolist()] == [
        (0, 1),  # true and not true
        (1, 0),  # true and not false
        (0, 0),  # true and not unknown
        (0, 1),  # false and anything
        (0, 1),
        (0, 1),
        (0, 1),  # unknown and not true
        (0, 0),
        (0, 0),
    ]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the library is looked for: nothing is there."""
    compiled._library.cache_clear()
    monkeypatch.setattr(compiled, "_LIBRARY", tmp_path / "libcompiled.so")
    yield tmp_path / "libcompiled.so"
    compiled._library.cache_clear()


OWN_LIBRARY = Path(compiled.__file__).with_name("libcompiled.so")


@pytest.mark.parametrize("situation", ["missing", "damaged", "of other sources"])
def test_library_that_cannot_be_used_names_the_command(library: Path, situation: str) -> None:
    match situation:
        case "damaged":
            library.write_bytes(b"no library")
        case "of other sources":
            made = OWN_LIBRARY.read_bytes()
            sources = [OWN_LIBRARY.with_name(name) for name in ("compiled.c", "compile.sh")]
            own = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
            assert own[:32].encode() in made
            library.write_bytes(made.replace(own[:32].encode(), b"0" * 32))
    with pytest.raises(ConfigError) as caught:
        compiled.exponential(np.ones((3, 64)), [0.5], [2], 1)
    assert caught.value.hint == "make it with: shared/rules/compile.sh"
