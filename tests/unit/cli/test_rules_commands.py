"""`closebell rules …` through typer's runner, over small kline files."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

HOUR_MS = 3_600_000
FIRST_MS = 1_759_363_200_000  # 2025-10-02T00:00Z
SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")


def run(*words: str, stdin: str | None = None) -> Result:
    # A width of its own, so that no terminal around the tests changes what is printed.
    result = CliRunner().invoke(app, list(words), input=stdin, env={"COLUMNS": "100"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def kline_csv(closes: Sequence[float], step_ms: int = HOUR_MS, first_ms: int = FIRST_MS) -> str:
    """Return a plain kline file with these closes."""
    rows = [
        f"{first_ms + place * step_ms},{close},{close * 1.01},{close * 0.99},{close},{100 + place}"
        for place, close in enumerate(closes)
    ]
    return "\n".join(["time,open,high,low,close,volume", *rows, ""])


@pytest.fixture
def klines(tmp_path: Path) -> Path:
    """Three symbols of 60 hours: one saw-tooth, one rising, one that ends below 10."""
    closes = {
        "AAAUSDT": [9.0 if place % 4 < 2 else 11.0 for place in range(60)],
        "BBBUSDT": [10.0 + place for place in range(60)],
        "CCCUSDT": [9.9] * 60,
    }
    for symbol in SYMBOLS:
        (tmp_path / f"{symbol}_1h.csv").write_text(kline_csv(closes[symbol]))
    return tmp_path


def test_check_shows_the_canonical_rule_and_what_it_takes() -> None:
    result = run("rules", "check", "ta.rsi(close, 14)<30")
    assert result.exit_code == 0
    assert "✓ rule         rsi(14) < 30\n" in result.stdout
    assert "bars needed  15 of at most 500" in result.stdout
    assert "names        close, rsi" in result.stdout
    found = document(run("rules", "check", "rsi(14) < 30", "--json"))
    assert found["rule"] == "rsi(14) < 30"
    assert found["bars_needed"] == 15
    assert found["cost"]["cost_max"] == 600
    assert found["interval"] is None


def test_check_reads_a_file_and_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "rule.txt"
    file.write_text("rsi(14) < 30   # oversold\n")
    assert "rsi(14) < 30" in run("rules", "check", f"@{file}").stdout
    assert "close > open" in run("rules", "check", "-", stdin="close > open\n").stdout


def test_check_of_a_duration_wants_an_interval() -> None:
    assert run("rules", "check", 'roc("24h") > 5').exit_code == 2
    result = run("rules", "check", 'roc("24h") > 5 and close > ema(9, tf="4h")', "-i", "1h")
    assert result.exit_code == 0
    assert "roc(24) > 5" in result.stdout
    assert "interval     1h" in result.stdout
    assert "also reads   bars of 4h" in result.stdout


def test_check_of_a_wrong_rule_points_at_the_place() -> None:
    result = run("rules", "check", "close > 3 and rsy(14) < 30")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "closebell: line 1, column 15: expected a function, was 'rsy'\n"
        "  close > 3 and rsy(14) < 30\n"
        "                ^\n"
        "  did you mean rsi?\n"
    )


def test_check_of_a_wrong_rule_as_json_is_one_document() -> None:
    result = run("rules", "check", "rsy(14) < 30", "--json")
    assert result.exit_code == 2
    error = document(result)["error"]
    assert error["code"] == "InvalidRule"
    assert (error["line"], error["column"], error["suggestion"]) == (1, 1, "rsi")
    assert error["excerpt"] == "rsy(14) < 30\n^"


def test_preview_of_files(klines: Path) -> None:
    words = ("rules", "preview", "close > 10", "-i", "1h", "--files", str(klines))
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "✓ true 2   ✗ false 1   ? unknown 0   of 3 instruments" in result.stdout
    assert "REPLAY" in result.stdout
    assert "close > 10  (9.9 against 10)" in result.stdout
    found = document(run(*words, "--json"))
    assert (found["true_count"], found["false_count"], found["unknown_count"]) == (2, 1, 0)
    assert [match["instrument"] for match in found["matches"]] == ["AAAUSDT", "BBBUSDT"]
    assert found["matches"][1] == {
        "instrument": "BBBUSDT",
        "price": 69.0,
        "values": {"close": 69.0},
    }
    assert found["near_misses"]["nearest"][0]["instrument"] == "CCCUSDT"
    assert found["closed_at_ms"] == FIRST_MS + 60 * HOUR_MS
    assert found["source"] == f"files in {klines}"
    assert found["notes"] == []


def test_preview_of_a_universe_reads_only_its_files(klines: Path) -> None:
    (klines / "CCCUSDT_1h.csv").write_text("not a kline file")
    words = ("rules", "preview", "close > 10", "-i", "1h", "--files", str(klines), "--json")
    found = document(run(*words, "--universe", "BBBUSDT, AAAUSDT"))
    assert found["instruments_count"] == 2
    result = run(*words)
    assert result.exit_code == 2
    assert "CCCUSDT_1h.csv" in document(result)["error"]["message"]


def test_preview_of_a_longer_interval_that_has_no_files_is_rolled_up(klines: Path) -> None:
    rule = 'close(tf="4h") > 10 and close > 0'
    words = ("rules", "preview", rule, "-i", "1h", "--files", str(klines), "--json")
    found = document(run(*words))
    assert found["notes"] == ["no 4h files: 4h bars are made of the 1h ones"]
    assert [match["values"]['close(tf="4h")'] for match in found["matches"]] == [11.0, 69.0]
    four = [9.0, 9.5, *[50.0] * 13]
    for symbol in SYMBOLS:
        (klines / f"{symbol}_4h.csv").write_text(kline_csv(four, 4 * HOUR_MS))
    found = document(run(*words))
    assert found["notes"] == []
    assert {match["values"]['close(tf="4h")'] for match in found["matches"]} == {50.0}


def test_explain_shows_every_part_and_the_distance(klines: Path) -> None:
    rule = "close > 10 and (volume > 1000 or close < 12)"
    words = ("rules", "explain", rule, "CCCUSDT", "BBBUSDT", "-i", "1h", "--files", str(klines))
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "CCCUSDT  price 9.9  ✗ false" in result.stdout
    assert "✗ close > 10  false, 0.1 away" in result.stdout
    assert "volume = 159" in result.stdout
    found = document(run(*words, "--json"))
    assert [each["instrument"] for each in found["instruments"]] == ["CCCUSDT", "BBBUSDT"]
    tree = found["instruments"][0]["explanation"]
    assert tree["state"] == 0
    assert [part["state"] for part in tree["parts"]] == [0, 1]
    assert tree["parts"][0]["distance"] == pytest.approx(-0.1)


def test_explain_an_earlier_close(klines: Path) -> None:
    words = ("rules", "explain", "close > 10", "AAAUSDT", "-i", "1h", "--files", str(klines))
    found = document(run(*words, "--json", "--at", "2025-10-02T02:00"))
    assert found["instruments"][0]["price"] == 9.0
    result = run(*words, "--at", "2025-10-02T02:30")
    assert result.exit_code == 2
    assert "expected a close of 1h at the time of --at" in result.stderr


def test_backtest_counts_signals_and_returns(klines: Path) -> None:
    words = ("rules", "backtest", "close > 10", "-i", "1h", "--files", str(klines))
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "Past returns promise nothing." in result.stdout
    assert "cadence, cooldown and caps are not applied" in result.stdout
    assert "16 on enter" in result.stdout
    found = document(run(*words, "--json"))
    # AAA enters at 2, 6, … 58; BBB once.
    assert found["signals_count"] == 16
    assert found["by_instrument"][0] == {"instrument": "AAAUSDT", "signals_count": 15}
    assert found["horizons"][0]["signals"]["count"] == 16
    assert found["caution"].startswith("Past returns promise nothing")


def test_backtest_progress_with_json_is_lines_on_standard_error(klines: Path) -> None:
    result = run("rules", "backtest", "close > 10", "-i", "1h", "-f", str(klines), "--json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert events[-1] == {"progress": "closes", "done": 59, "total": 59}
    assert {event["progress"] for event in events} == {"1h files", "closes"}
    assert len(events) < 60
    assert len(result.stdout.splitlines()) == 1


def test_backtest_of_a_span(klines: Path) -> None:
    words = ("rules", "backtest", "close > 10", "-i", "1h", "--files", str(klines), "--json")
    found = document(run(*words, "--bars", "8"))
    assert (found["closes_count"], found["signals_count"]) == (8, 2)
    found = document(run(*words, "--from", "2025-10-03", "--to", "2025-10-03T12:00"))
    assert found["closes_count"] == 13
    assert found["first_closed_at_ms"] == FIRST_MS + 24 * HOUR_MS
    assert found["last_closed_at_ms"] == FIRST_MS + 36 * HOUR_MS
    result = run(*words, "--from", "2026-01-01")
    assert result.exit_code == 2


def test_packed_files_are_read_alike(klines: Path) -> None:
    text = (klines / "AAAUSDT_1h.csv").read_text()
    (klines / "AAAUSDT_1h.csv").unlink()
    (klines / "AAAUSDT_1h.csv.gz").write_bytes(gzip.compress(text.encode()))
    bbb = (klines / "BBBUSDT_1h.csv").read_text().splitlines(keepends=True)
    (klines / "BBBUSDT_1h.csv").unlink()
    for month, lines in (("2025-10", bbb[:31]), ("2025-11", bbb[:1] + bbb[31:])):
        with zipfile.ZipFile(klines / f"BBBUSDT-1h-{month}.zip", "w") as archive:
            archive.writestr(f"BBBUSDT-1h-{month}.csv", "".join(lines))
    words = ("rules", "preview", "close > 10", "-i", "1h", "--files", str(klines), "--json")
    found = document(run(*words))
    assert (found["true_count"], found["notes"]) == (2, [])


def test_mended_files_are_told(klines: Path) -> None:
    lines = kline_csv([9.0] * 30).splitlines(keepends=True)
    (klines / "AAAUSDT_1h.csv").write_text("".join([*lines[:10], *lines[12:20], *lines[18:]]))
    words = ("rules", "preview", "close > 10", "-i", "1h", "--files", str(klines), "--json")
    assert document(run(*words))["notes"] == [
        "1h files: rows out of order, sorted: 1",
        "1h files: rows there twice, used once: 2",
        "gaps: 2 missing bars in 1 of 3 instruments; the history of each begins anew after its gap",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--files", "{tmp}/nowhere"), "expected a folder"),
        (("--files", "{tmp}/empty"), "expected kline files in"),
        (("--files", "{tmp}", "-i", "5m"), "expected files of 5m, there are only those of 1h"),
        (("--files", "{tmp}", "-u", "AAAUSD"), "did you mean AAAUSDT?"),
        (("--files", "{tmp}", "-i", "7m"), "7m"),
        (("--files", "{tmp}", "--trigger", "sometimes"), "sometimes"),
        (("--files", "{tmp}", "--venues", "x"), "--venues"),
    ],
)
def test_wrong_input_is_code_2_and_a_sentence(
    klines: Path, words: tuple[str, ...], message: str
) -> None:
    (klines / "empty").mkdir()
    given = [word.format(tmp=klines) for word in words]
    interval = () if "-i" in words else ("-i", "1h")
    result = run("rules", "preview", "close > 10", *interval, *given)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("@{tmp}/nothing.txt", "No such file"),
        ("@{tmp}/binary", "expected text"),
        ('of("ZZZUSDT", close) > 1', "ZZZUSDT"),
    ],
)
def test_wrong_rule_sources(klines: Path, rule: str, message: str) -> None:
    (klines / "binary").write_bytes(b"\xff\xfe\x00")
    result = run("rules", "preview", rule.format(tmp=klines), "-i", "1h", "--files", str(klines))
    assert result.exit_code == 2
    assert message in result.stderr


def test_files_that_are_years_apart_are_more_than_fits(tmp_path: Path) -> None:
    for symbol, first_ms in (("AAAUSDT", FIRST_MS - 25 * 365 * 24 * HOUR_MS // 2), ("B", FIRST_MS)):
        text = kline_csv([9.0, 9.0], HOUR_MS // 60, first_ms)
        (tmp_path / f"{symbol}USDT_1m.csv").write_text(text)
    result = run("rules", "preview", "close > 10", "-i", "1m", "--files", str(tmp_path))
    assert result.exit_code == 2
    assert "expected at most 10,000,000 klines at once" in result.stderr


@pytest.mark.parametrize("name", ["AAAUSDT_1h.csv.gz", "AAAUSDT-1h-2025-10.zip"])
def test_damaged_packed_files_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b not packed")
    result = run("rules", "preview", "close > 10", "-i", "1h", "--files", str(tmp_path))
    assert result.exit_code == 2
    assert f"({name})" in result.stderr


def test_without_a_redis_the_command_that_mends_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "")
    result = run("rules", "preview", "close > 10", "-i", "1h")
    assert result.exit_code == 1
    assert "expected a Redis to read history from" in result.stderr
    assert "make run" in result.stderr and "--files FOLDER" in result.stderr


def test_no_colour_without_a_terminal(klines: Path) -> None:
    result = run("rules", "preview", "close > 10", "-i", "1h", "--files", str(klines))
    assert "\x1b" not in result.stdout + result.stderr
