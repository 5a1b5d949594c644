"""Traders as files: nothing is lost on the way there and back, nothing odd gets in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.trader_files import Trader, diff_of, read_trader, slugs_of, write_trader
from cli.trader_folder import (
    Stored,
    check_rules,
    plan_export,
    plan_import,
    read_folder,
    write_files,
)
from shared.errors import InvalidRequest

OVERSOLD = Trader(
    name="Oversold",
    rule="rsi(14) < 30\nand volume > 2 * sma(volume, 20)",
    venue="binance",
    universe=("BTCUSDT", "ETHUSDT"),
    interval="1m",
    trigger="enter",
)
FILE = """\
name: Oversold
rule: |-
  rsi(14) < 30
  and volume > 2 * sma(volume, 20)
venue: binance
universe:
- BTCUSDT
- ETHUSDT
interval: 1m
trigger: enter
"""

# Every text that Postgres can hold, and those that YAML finds difficult.
DIFFICULT = (
    *("rsi(14) < 30", " and x", "", "  ", "# c", "\t", "- a", "a: b", "|", "'", '"', "---", "..."),
    *("\u2028", "\x85", "\x7f", "\ufeff", "\r", "%x", "no", "1:30", "2020-01-01", "~", "0x1"),
)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
) | st.lists(st.sampled_from(DIFFICULT), max_size=4).map("\n".join)
TRADERS = st.builds(
    Trader,
    name=TEXTS.map(lambda text: text.strip(" ")),
    description=TEXTS,
    rule=TEXTS,
    venue=TEXTS,
    universe=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    interval=TEXTS,
    trigger=TEXTS,
    cadence=TEXTS,
    cooldown_s=st.integers(0, 10**9 - 1),
    enabled=st.booleans(),
)


@given(TRADERS)
def test_a_file_says_exactly_what_the_trader_says(trader: Trader) -> None:
    assert read_trader(write_trader(trader)) == trader


def test_a_rule_is_a_block_and_defaults_are_left_out() -> None:
    assert write_trader(OVERSOLD) == FILE


def test_comments_and_other_styles_are_read() -> None:
    text = FILE.replace("universe:\n- BTCUSDT\n- ETHUSDT", "universe: [BTCUSDT, ETHUSDT] # two")
    assert read_trader("# mine\n" + text) == OVERSOLD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the fields of a trader"),
        ("- a", "expected the fields of a trader"),
        ("name: x", "rule: expected it, was missing"),
        (FILE.replace("Oversold", "yes"), "name: expected a text, was True; put it in quotes"),
        (FILE.replace("Oversold", "' x'"), "name: expected no blanks around it"),
        (FILE.replace("Oversold", '"\\0"'), "name: expected a text, was one with a zero byte"),
        (FILE.replace("Oversold", '"\\ud800"'), "name: expected a text"),
        (FILE.replace("Oversold", "2026-13-45"), "month must be in 1..12"),
        (FILE + "cooldown_s: 1.5", "cooldown_s: expected whole seconds, was 1.5"),
        (FILE + "cooldown_s: true", "cooldown_s: expected whole seconds, was True"),
        (FILE + "enabled: 1", "enabled: expected true or false, was 1"),
        (FILE + "cooldwn_s: 1", "cooldwn_s: expected no such field (fields are name,"),
        (FILE + "name: again", "expected name once at line 11, column 1"),
        (
            FILE.replace("- ETHUSDT", "- NO"),
            "universe: expected a list of symbols, was ['BTCUSDT', False]; put each in quotes",
        ),
        (FILE + "cooldown_s: '60'", "cooldown_s: expected whole seconds, was '60'"),
        (FILE + "<<: {cadence: close}", "expected no merge (<<) at line 1"),
        ("a: &x [1]\nb: *x", "expected no alias (*) at line 2, column 4"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("name: 'x", "at line"),
        ("[[" * 20_000, "recursion"),
        ("? [a]\n: b", "unhashable"),
        (FILE + "cooldown_s: -1", "cooldown_s: expected whole seconds, was -1"),
        (FILE + "cooldown_s: 0x" + "f" * 9000, "cooldown_s: expected whole seconds, was 0xff"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_trader(text)
    assert words in str(refused.value)


def test_file_names_are_plain_and_stable() -> None:
    names = ["Oversold RSI", "oversold, rsi!", "Über 30", "🚀", "x" * 90, "../../etc"]
    assert slugs_of(names) == [
        "oversold-rsi",
        "oversold-rsi-2",
        "uber-30",
        "trader",
        "x" * 60,
        "etc",
    ]


def test_a_diff_is_that_of_the_files() -> None:
    other = read_trader(FILE.replace("30", "25"))
    assert "-  rsi(14) < 30\n+  rsi(14) < 25\n" in diff_of(OVERSOLD, other, "oversold.yaml")
    assert diff_of(OVERSOLD, OVERSOLD, "oversold.yaml") == ""
    assert diff_of(None, OVERSOLD, "oversold.yaml").startswith("--- (none)\n+++ oversold.yaml\n")


def stored(*names: str) -> list[Stored]:
    return [
        Stored(id=number, trader=read_trader(FILE.replace("Oversold", name)))
        for number, name in enumerate(names, 1)
    ]


def test_export_keeps_renamed_files_and_strangers(tmp_path: Path) -> None:
    folder = tmp_path / "traders"
    write_files(plan_export(stored("A", "B", "B"), folder), folder, delete=False)
    assert sorted(p.name for p in folder.iterdir()) == ["a.yaml", "b-2.yaml", "b.yaml"]
    (folder / "a.yaml").rename(folder / "mine.yml")
    (folder / "c.yaml").write_text("somebody: else's\n")
    changes = plan_export(stored("A", "B", "B", "C"), folder)
    assert [(change.kind, change.file) for change in changes] == [
        ("same", "mine.yml"),
        ("same", "b.yaml"),
        ("same", "b-2.yaml"),
        ("added", "c-2.yaml"),
    ]
    changes = plan_export(stored("B"), folder)
    assert [(c.kind, c.file) for c in changes if c.kind == "removed"] == [
        ("removed", "b-2.yaml"),
        ("removed", "mine.yml"),
    ]
    write_files(changes, folder, delete=False)
    assert len(list(folder.iterdir())) == 4
    write_files(changes, folder, delete=True)
    assert sorted(p.name for p in folder.iterdir()) == ["b.yaml", "c.yaml"]


def test_export_takes_no_name_that_differs_in_case_alone(tmp_path: Path) -> None:
    (tmp_path / "OVERSOLD.yaml").write_text("somebody: else's\n")
    (change,) = plan_export([Stored(id=1, trader=OVERSOLD)], tmp_path)
    assert change.file == "oversold-2.yaml"


def test_import_names_every_wrong_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    (tmp_path / "b.yaml").write_text(FILE)
    (tmp_path / "c.yml").write_text("name: [\n")
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "e.yaml").write_text("#" * 200_001)
    (tmp_path / "notes.txt").write_text("no trader")
    with pytest.raises(InvalidRequest) as refused:
        read_folder(tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[0] == "nothing was stored"
    assert [line.strip().partition(":")[0] for line in lines[1:]] == [
        "c.yml",
        "d.yaml",
        "e.yaml",
        "a.yaml",
        "b.yaml",
    ]


def test_import_checks_rules_as_they_are_checked_when_saved(tmp_path: Path) -> None:
    traders = {
        "a.yaml": OVERSOLD,
        "b.yaml": read_trader(FILE.replace("rsi(", "rsy(")),
        "c.yaml": read_trader(FILE.replace("interval: 1m", "interval: 7m")),
        "d.yaml": read_trader(FILE.replace("trigger: enter", "trigger: leave")),
        "e.yaml": read_trader(FILE + "cadence: every 600 closes\n"),
        "f.yaml": read_trader(FILE.replace("enter", "while") + "cadence: every 600 closes\n"),
        "g.yaml": read_trader(FILE + "cadence: never\n"),
    }
    with pytest.raises(InvalidRequest) as refused:
        check_rules(traders)
    said = str(refused.value)
    assert "b.yaml: rule, line 1, column 1: expected a function, was 'rsy'" in said
    # The line of the rule, and what points at the place.
    assert "\n      rsy(14) < 30\n      ^\n" in said
    assert "c.yaml: interval: expected one of 1m," in said
    assert "d.yaml: trigger: expected one of enter, exit, while, was leave" in said
    assert "e.yaml: cadence: expected due closes at most 500 bars apart" in said
    assert "g.yaml: cadence: expected " in said
    assert "a.yaml" not in said and "f.yaml" not in said


def test_a_folder_without_files_is_none_to_import(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no trader")
    with pytest.raises(InvalidRequest, match="there is none"):
        read_folder(tmp_path)


def test_import_refuses_what_it_cannot_tell_apart() -> None:
    with pytest.raises(InvalidRequest, match="2 stored traders are named 'B'"):
        plan_import({"b.yaml": stored("B")[0].trader}, stored("B", "B"))
    # Two of one name that no file speaks of are left alone.
    changes = plan_import({"a.yaml": stored("A")[0].trader}, stored("A", "B", "B"))
    assert [change.kind for change in changes] == ["same", "removed", "removed"]


def test_what_does_not_print_never_reaches_a_terminal() -> None:
    row = Stored(id=1, trader=read_trader(FILE.replace("Oversold", '"red \\e[31m [bold] :x:"')))
    (change,) = plan_import({}, [row])
    assert change.name == "red \x1b[31m [bold] :x:"
    assert "\x1b" not in change.shown_name + change.diff
