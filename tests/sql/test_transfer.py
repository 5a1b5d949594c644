"""`closebell export` and `import` against a database: exact, all or nothing, streamed."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sql.backups import COMMAND, SIGNALS_COUNT, execute, fetch, run

ANN = ("--user", "ann@example.org")
TRADERS = (
    "select jsonb_agg(to_jsonb(traders) order by traders.id)::text, count(*) from public.traders"
    " inner join auth.users on users.id = user_id and email = 'ann@example.org'"
)


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def environment(filled_database: str) -> dict[str, str]:
    return {"DATABASE_URL": filled_database}


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path) -> Path:
    done = run("export", "traders", tmp_path / "ann", *ANN, environment=environment)
    assert done.stdout == "✓ files: added 3, changed 0, same 0\n", done.stderr
    return tmp_path / "ann"


def test_what_was_exported_is_imported_without_a_change(
    filled_database: str, environment: dict[str, str], folder: Path
) -> None:
    before = fetch(filled_database, TRADERS)
    done = run("import", "traders", folder, *ANN, environment=environment)
    assert done.stdout == "✓ traders: added 0, changed 0, same 3\n", done.stderr
    assert fetch(filled_database, TRADERS) == before
    # And into another account, from nothing.
    execute(filled_database, "select tap.new_user('cleo')")
    cleo = ("--user", "cleo@example.org")
    done = run("import", "traders", folder, *cleo, environment=environment)
    assert done.stdout == "✓ traders: added 3, changed 0, same 0\n", done.stderr
    done = run("export", "traders", folder.parent / "cleo", *cleo, environment=environment)
    assert done.returncode == 0
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {p.name: p.read_bytes() for p in (folder.parent / "cleo").iterdir()} == files


def test_diff_shows_and_changes_nothing(
    filled_database: str, environment: dict[str, str], folder: Path
) -> None:
    before = fetch(filled_database, TRADERS)
    change(folder, "ann-example-org-s-n-2.yaml", "close > 2", "close > 22")
    change(folder, "ann-example-org-s-n-3.yaml", "n° 3", "n° 4")
    done = run("import", "traders", folder, *ANN, "--diff", environment=environment)
    assert done.returncode == 0
    assert "-   and close > 2\n+   and close > 22\n" in done.stdout
    assert "! traders: added 1, changed 1, same 1, left 1" in done.stdout
    assert "--delete removes them: ann@example.org's n° 3" in done.stdout
    done = run("import", "traders", folder, *ANN, "--diff", "--json", environment=environment)
    found = json.loads(done.stdout)
    assert [c["kind"] for c in found["changes"]] == ["same", "changed", "added", "removed"]
    assert found["is_done"] is False
    done = run("export", "traders", folder, *ANN, "--diff", environment=environment)
    assert "! files: added 1, changed 1, same 1, left 1" in done.stdout
    assert fetch(filled_database, TRADERS) == before


def test_import_makes_new_versions_and_deletes_only_when_told(
    filled_database: str, environment: dict[str, str], folder: Path
) -> None:
    change(folder, "ann-example-org-s-n-2.yaml", "close > 2", "close > 22")
    (folder / "ann-example-org-s-n-3.yaml").unlink()
    done = run("import", "traders", folder, *ANN, environment=environment)
    assert "✓ traders: added 0, changed 1, same 1, left 1" in done.stdout, done.stderr
    versions = "select version, rule from public.traders where name like 'ann%' order by traders.id"
    assert fetch(filled_database, versions) == [
        (1, "rsi(14) < 30\n and close > 1"),
        (2, "rsi(14) < 30\n and close > 22"),
        (1, "rsi(14) < 30\n and close > 3"),
    ]
    done = run("import", "traders", folder, *ANN, "--delete", environment=environment)
    assert "✓ traders: added 0, changed 0, same 2, removed 1" in done.stdout, done.stderr
    assert len(fetch(filled_database, versions)) == 2


def test_import_is_all_or_nothing(
    filled_database: str, environment: dict[str, str], folder: Path
) -> None:
    before = fetch(filled_database, TRADERS)
    change(folder, "ann-example-org-s-n-1.yaml", "close > 1", "close > 11")
    # Only the database knows that there is no such venue.
    change(folder, "ann-example-org-s-n-3.yaml", "venue: binance", "venue: moon")
    # A dry run knows it as well.
    for words in (("--delete",), ("--dry-run",)):
        done = run("import", "traders", folder, *ANN, *words, environment=environment)
        assert done.returncode == 2
        assert "ann-example-org-s-n-3.yaml: expected that venue is known" in done.stderr
    assert fetch(filled_database, TRADERS) == before
    # A quota, after others were stored.
    execute(
        filled_database,
        "update public.tiers set traders_max = 3 where id = 'pro'",
    )
    change(folder, "ann-example-org-s-n-3.yaml", "venue: moon", "venue: binance")
    change(folder, "ann-example-org-s-n-3.yaml", "n° 3", "n° 4")
    done = run("import", "traders", folder, *ANN, environment=environment)
    assert done.returncode == 2
    assert "expected at most 3 enabled traders in tier pro" in done.stderr
    assert fetch(filled_database, TRADERS) == before
    # With the old one deleted, there is room.
    done = run("import", "traders", folder, *ANN, "--delete", environment=environment)
    assert done.returncode == 0, done.stderr


def test_whose_traders_must_be_clear(
    filled_database: str, environment: dict[str, str], folder: Path
) -> None:
    done = run("export", "traders", folder, environment=environment)
    assert done.returncode == 2
    assert "expected one user, there are several (say whose traders: --user EMAIL)" in done.stderr
    done = run("import", "traders", folder, "--user", "nobody@x.org", environment=environment)
    assert done.returncode == 2
    assert "address nobody@x.org, found none" in done.stderr
    execute(filled_database, "delete from auth.users where email like 'bob%'")
    done = run("import", "traders", folder, environment=environment)
    assert done.stdout == "✓ traders: added 0, changed 0, same 3\n", done.stderr


def signals(form: str, *words: str, environment: dict[str, str]) -> str:
    done = run("export", "signals", "--format", form, *words, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_signals_are_exact_in_every_form(filled_database: str, environment: dict[str, str]) -> None:
    execute(
        filled_database,
        "update public.signals set price = 0.1234567890123456789012345678901234567890,"
        ' "values" = \'{"close": 0.12345678901234567890123, "x": 1e-300}\' where id = 1;'
        "update public.traders set name = '=HYPERLINK(\"http://x\")' where id = 1",
    )
    table = list(csv.DictReader(io.StringIO(signals("csv", environment=environment))))
    lines = [
        json.loads(line, parse_float=str)
        for line in signals("ndjson", environment=environment).splitlines()
    ]
    whole = json.loads(signals("json", environment=environment), parse_float=str)
    assert len(table) == SIGNALS_COUNT
    assert whole == lines
    first: dict[str, Any] = whole[0]
    assert first["price"] == "0.1234567890123456789012345678901234567890"
    assert first["values"]["close"] == "0.12345678901234567890123"
    assert first["trader"] == '=HYPERLINK("http://x")'
    assert first["closed_at"].endswith("Z") and len(first["closed_at"]) == 20
    assert table[0]["price"] == first["price"]
    assert json.loads(table[0]["values"], parse_float=str) == first["values"]
    # A spreadsheet would run it.
    assert table[0]["trader"] == '\'=HYPERLINK("http://x")'
    for row, document in zip(table[1:], whole[1:], strict=True):
        assert row.keys() == document.keys()
        assert row["id"] == str(document["id"])
        assert row["trader"].removeprefix("'") == document["trader"]
    assert [int(row["id"]) for row in table] == sorted(int(row["id"]) for row in table)


def test_signals_are_chosen_by_time_user_and_trader(
    filled_database: str, environment: dict[str, str], tmp_path: Path
) -> None:
    execute(
        filled_database,
        "update public.signals set created_at = '2026-01-02T03:04:05Z' where id <= 10",
    )

    def count(*words: str) -> int:
        return signals("ndjson", *words, environment=environment).count("\n")

    assert count("--until", "2026-01-02T03:04:05") == 0
    assert count("--until", "2026-01-03", "--since", "2026-01-02T03:04:05Z") == 10
    assert count("--since", "1h") == SIGNALS_COUNT - 10
    assert count(*ANN) == SIGNALS_COUNT // 2
    assert count("--trader", "bob@example.org's n° 1") == 8
    assert count("--trader", "bob@example.org's n° 1", *ANN) == 0
    assert signals("json", "--until", "2020-01-01", environment=environment) == "[\n]\n"
    file = tmp_path / "signals.csv"
    assert signals("csv", "-o", str(file), environment=environment) == f"✓ {file}: 48 signals\n"
    assert file.read_text().count("\n") == SIGNALS_COUNT + 1
    for words, problem in (
        (("--since", "5x"), "after --since, was '5x'"),
        (("--trader", "nope"), "expected the name or id of a trader, was 'nope'"),
        (("--user", "nobody"), "address nobody, found none"),
    ):
        done = run("export", "signals", *words, environment=environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert problem in done.stderr


def test_many_signals_take_no_more_memory_than_few_and_a_pipe_is_quiet(
    filled_database: str, environment: dict[str, str]
) -> None:
    few_kb = peak_kb(environment)
    execute(
        filled_database,
        "insert into public.signals (user_id, trader_id, run_id, rule_version, venue, instrument,"
        ' "interval", closed_at, trigger, origin, feed, price, "values", frame_revision,'
        " data_age_ms) select user_id, trader_id, run_id, rule_version, venue, instrument,"
        ' "interval", closed_at - make_interval(days => 1, mins => number), trigger, origin,'
        ' feed, price, "values", frame_revision, data_age_ms'
        " from (select * from public.signals order by id limit 1) as one,"
        " generate_series(1, 60000) as number",
    )
    assert peak_kb(environment) - few_kb < 12_000
    done = subprocess.run(
        f"'{COMMAND}' export signals | head -n 1",
        shell=True,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("id,created_at,")
    assert done.stderr == ""
    with open("/dev/full", "w") as full:
        full_disk = subprocess.run(
            (COMMAND, "export", "signals"),
            env={"PATH": "/usr/bin:/bin", **environment},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert full_disk.returncode == 1
    assert "expected to write standard output, was: No space left" in full_disk.stderr


def peak_kb(environment: dict[str, str]) -> int:
    """Return the most memory that an export took, kB."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        (COMMAND.parent / "python", "-c", script, COMMAND, "export", "signals"),
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
