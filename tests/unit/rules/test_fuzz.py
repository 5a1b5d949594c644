"""A hundred thousand seeded texts through the parser; `make fuzz` sends millions."""

from __future__ import annotations

import pytest

from tests.unit.rules.fuzz import CHUNK_TEXTS, main, read, run_chunk
from tests.unit.rules.fuzz_texts import RuleTexts

SEED = 20
CHUNKS = 10


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_parse_rule_any_text_is_a_rule_or_refused_at_its_place(chunk: int) -> None:
    result = run_chunk(SEED, chunk)
    assert result.failures == ()
    assert result.texts == CHUNK_TEXTS
    assert result.rules > CHUNK_TEXTS // 10
    assert result.evaluated > 50


def test_rule_texts_are_the_same_from_the_same_seed() -> None:
    one, other = RuleTexts("7:3"), RuleTexts("7:3")
    assert [one.next() for _ in range(500)] == [other.next() for _ in range(500)]


def test_fuzz_reports_how_to_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--chunk", "3"]) == 0
    assert "10,000 texts of seed 7" in capsys.readouterr().out
    assert read("close >", None) is None
