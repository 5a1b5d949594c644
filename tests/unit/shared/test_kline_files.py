"""Kline files: every form that is read, and what is refused, mended or counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.kline_files import (
    KlineFileName,
    KlineTable,
    join_tables,
    parse_file_name,
    parse_klines_csv,
    parse_klines_json,
    window_of_tables,
)

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data"
HOUR_MS = 3_600_000
# 2025-10-02T18:00Z
FIRST_MS = 1_759_428_000_000
BARS = [(10.0, 12.0, 9.0, 11.0, 100.0), (11.0, 11.5, 10.0, 10.5, 50.0)]


def csv_of(*times: object, header: str = "time,open,high,low,close,volume") -> str:
    """Return a plain file with these times, the bars of BARS in turn."""
    rows = [
        ",".join(str(value) for value in (time, *BARS[place % 2]))
        for place, time in enumerate(times)
    ]
    return "\n".join(([header] if header else []) + rows) + "\n"


def parse(text: str, interval: Interval = Interval.H1) -> KlineTable:
    return parse_klines_csv(text, interval, "X.csv")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BTCUSDT_1h.csv", KlineFileName("BTCUSDT", Interval.H1, False)),
        ("BTCUSDT_1h.csv.gz", KlineFileName("BTCUSDT", Interval.H1, False)),
        ("1000PEPEUSDT-15m-2025-10.zip", KlineFileName("1000PEPEUSDT", Interval.M15, False)),
        ("BTCUSDT-1d-2025-10-03.csv", KlineFileName("BTCUSDT", Interval.D1, False)),
        ("BTCUSDT_1m_2025-12-12_2025-12-19.json.gz", KlineFileName("BTCUSDT", Interval.M1, True)),
        ("BTCUSDT_7m.csv", None),
        ("README.md", None),
        ("btcusdt_1h.csv", None),
        ("BTCUSDT_1h.parquet", None),
    ],
)
def test_file_name_says_symbol_and_interval(name: str, expected: KlineFileName | None) -> None:
    assert parse_file_name(name) == expected


@pytest.mark.parametrize(
    "times",
    [
        (FIRST_MS, FIRST_MS + HOUR_MS),
        (FIRST_MS * 1000, (FIRST_MS + HOUR_MS) * 1000),
        (FIRST_MS, (FIRST_MS + HOUR_MS) * 1000),  # a file joined over New Year 2025
        ("2025-10-02 18:00:00", "2025-10-02 19:00:00"),
        ("2025-10-02T18:00:00Z", "2025-10-02T19:00:00Z"),
        ("2025-10-02 18:00:00+00:00", "2025-10-02 19:00:00+00:00"),
    ],
)
@pytest.mark.parametrize("header", ["time,open,high,low,close,volume", ""])
def test_csv_times_in_ms_in_us_and_as_dates(times: tuple[object, ...], header: str) -> None:
    if not header and isinstance(times[0], str):
        header = "Open time,Open,High,Low,Close,Volume"
    table = parse(csv_of(*times, header=header))
    assert table.open_times_ms.tolist() == [FIRST_MS, FIRST_MS + HOUR_MS]
    assert table.columns[:5].T.tolist() == [list(bar) for bar in BARS]
    assert np.isnan(table.columns[5:]).all()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore",
        "open_time,open,high,low,close,volume,close_time,quote_asset_volume,trades,"
        "taker_buy_base,taker_buy_quote,ignore",
        "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,"
        "Taker buy base asset volume,Taker buy quote asset volume,Ignore",
    ],
)
def test_binance_dump_has_all_columns(header: str) -> None:
    row = f"{FIRST_MS},10,12,9,11,100,{FIRST_MS + HOUR_MS - 1},1100.5,7,40,440,0"
    table = parse("\n".join([header, row]) if header else row)
    assert table.columns[:, 0].tolist() == [10, 12, 9, 11, 100, 1100.5, 7, 40]


def test_columns_are_found_by_name_in_any_order() -> None:
    table = parse(f"close,volume,timestamp,low,high,open\n11,100,{FIRST_MS},9,12,10\n")
    assert table.columns[:5, 0].tolist() == [10, 12, 9, 11, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected klines, was empty"),
        ("time,open,high,low,close,volume\n", "expected klines, was empty"),
        ("time,open,high,low,close\n1,2,3,4,5\n", "expected the columns volume, was time, open"),
        ("when,open,high,low,close,volume\n1,2,3,4,5,6\n", "expected the columns open_time"),
        (f"{FIRST_MS},1,2,1,1\n", "expected 6 or 12 columns without a header, was 5"),
        (csv_of(FIRST_MS) + "1,2\n", r"expected 6 columns, was 2 \(X.csv, line 3\)"),
        (csv_of(1_759_428_000), "expected a time in ms or µs since 1970, was '1759428000'"),
        (csv_of("now"), "expected a time in UTC, was 'now'"),
        (csv_of(FIRST_MS, "1h later"), "expected a time in ms or µs since 1970, was '1h later'"),
        (csv_of("2025-13-02"), r"expected times in UTC, were not: .*13.*\(X.csv, line 2\)"),
        (csv_of("1999-10-02"), "expected a time after 2001"),
        (csv_of("2025-10-02 18:00:00+02:00"), r"was '2025-10-02 18:00:00\+02:00'"),
        (csv_of(FIRST_MS + 1), "expected a kline of 1h to open on the 1h"),
        (csv_of(FIRST_MS, FIRST_MS + 4 * HOUR_MS), "expected klines of 1h, were 240 minutes apart"),
        (csv_of(FIRST_MS, FIRST_MS), "expected one kline of each time, were two that differ"),
        (csv_of(FIRST_MS).replace("12.0", "abc"), r"a price above 0 as high, was 'abc'.*line 2"),
        (csv_of(FIRST_MS).replace("12.0", "0"), "expected a price above 0 as high, was '0'"),
        (csv_of(FIRST_MS).replace("12.0", "nan"), "expected a price above 0 as high, was 'nan'"),
        (csv_of(FIRST_MS).replace("100.0", "-1"), "expected a number from 0 as volume, was '-1'"),
        (csv_of(FIRST_MS).replace("100.0", ""), "expected a number from 0 as volume, was ''"),
    ],
)
def test_wrong_files_are_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse(text)


def test_rows_out_of_order_are_sorted_and_counted() -> None:
    table = parse(csv_of(FIRST_MS + HOUR_MS, FIRST_MS, FIRST_MS + 2 * HOUR_MS))
    assert np.diff(table.open_times_ms).tolist() == [HOUR_MS, HOUR_MS]
    assert table.reordered_count == 1
    assert table.columns[0].tolist() == [11.0, 10.0, 10.0]


def test_rows_there_twice_are_used_once_and_counted() -> None:
    times = (FIRST_MS, FIRST_MS + HOUR_MS, FIRST_MS, FIRST_MS + HOUR_MS)
    table = parse(csv_of(*times))
    assert (len(table.open_times_ms), table.duplicates_count) == (2, 2)


def test_bars_that_do_not_contain_their_prices_are_counted() -> None:
    table = parse(csv_of(FIRST_MS, FIRST_MS + HOUR_MS).replace("12.0", "10.5"))
    assert table.inconsistent_count == 1


@pytest.mark.parametrize(
    "text",
    [
        '{{"metadata": {{}}, "data": [{{"timestamp": {0}, "open": 10, "high": 12.0, "low": 9,'
        ' "close": 11, "volume": 100}}]}}',
        '[{{"open_time": {0}, "open": "10", "high": "12", "low": "9", "close": "11",'
        ' "volume": "100", "extra": null}}]',
        '[[{0}, "10", "12", "9", "11", "100", 0, "1", 2, "3", "4", "0"]]',
    ],
)
def test_json_forms(text: str) -> None:
    table = parse_klines_json(text.format(FIRST_MS).encode(), Interval.H1, "X.json")
    assert table.open_times_ms.tolist() == [FIRST_MS]
    assert table.columns[:5, 0].tolist() == [10, 12, 9, 11, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, was damaged"),
        ("7", "expected a list of klines"),
        ("[]", "expected a list of klines"),
        ('{"data": {}}', "expected a list of klines"),
        ('[{"open_time": 1}, 5]', "expected every kline with the names of the first"),
        ("[[1, 2], {}]", "expected every kline with the names of the first"),
    ],
)
def test_wrong_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_klines_json(text.encode(), Interval.H1, "X.json")


def test_files_of_one_symbol_are_joined_and_may_overlap() -> None:
    later = parse(csv_of(FIRST_MS + 2 * HOUR_MS, FIRST_MS + 3 * HOUR_MS))
    earlier = parse(csv_of(FIRST_MS, FIRST_MS + HOUR_MS, FIRST_MS + 2 * HOUR_MS))
    joined = join_tables([later, earlier], Interval.H1, "X")
    assert len(joined.open_times_ms) == 4
    assert (joined.duplicates_count, joined.reordered_count) == (1, 0)


def test_window_spans_all_tables_and_is_nan_where_one_has_no_bar() -> None:
    tables = {
        "A": parse(csv_of(FIRST_MS, FIRST_MS + HOUR_MS)),
        "B": parse(csv_of(FIRST_MS + HOUR_MS, FIRST_MS + 2 * HOUR_MS, FIRST_MS + 4 * HOUR_MS)),
    }
    window = window_of_tables(tables, Interval.H1, "binance")
    close = window.columns[COLUMNS.index("close")]
    assert window.symbols == ("A", "B")
    assert window.bars == 5
    assert np.isnan(close).tolist() == [
        [False, True],
        [False, False],
        [True, False],
        [True, True],
        [True, False],
    ]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded data are not beside the project")
@pytest.mark.parametrize(
    ("folder", "files", "bars"), [("klines_usdm_202510", 90, 500), ("klines_spot_1d", 24, 733)]
)
def test_recorded_files_are_read_without_a_complaint(folder: str, files: int, bars: int) -> None:
    count = 0
    for path in sorted((RECORDED / folder).glob("*.csv.gz")):
        name = parse_file_name(path.name)
        assert name is not None
        text = gzip.decompress(path.read_bytes()).decode()
        table = parse_klines_csv(text, name.interval, path.name)
        assert len(table.open_times_ms) >= bars
        mended = (table.reordered_count, table.duplicates_count, table.inconsistent_count)
        assert mended == (0, 0, 0), path.name
        count += 1
    assert count == files
