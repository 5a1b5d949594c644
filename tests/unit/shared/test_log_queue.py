"""The queue of log lines is bounded, counts what it drops, and says so once."""

from __future__ import annotations

import uuid

from shared.log_queue import BATCH_LINES_MAX, LINE_BYTES_MAX, LogQueue, make_line

AT_MS = 1_763_744_400_123.0


def filled(count: int, lines_max: int) -> LogQueue:
    queue = LogQueue(lines_max)
    for number in range(count):
        queue.add(AT_MS, "collector", "info", "thing_happened", {"number": number})
    return queue


def test_line_has_columns_a_key_of_its_own_and_the_column_s_words() -> None:
    fields = {"run_id": 7, "trader_id": 3, "symbol": "BTCUSDT", "n": 1.5}
    line = make_line(AT_MS, "collector", "exception", "thing_failed", fields)
    assert uuid.UUID(line.pop("line_key")).version == 4
    assert line == {
        "logged_at": "2025-11-21T17:00:00.123000+00:00",
        "source": "collector",
        "level": "error",
        "event": "thing_failed",
        "run_id": 7,
        "trader_id": 3,
        "symbol": "BTCUSDT",
        "fields": {"n": 1.5},
    }


def test_line_that_says_too_much_is_cut() -> None:
    line = make_line(AT_MS, "s", "info", "e", {f"f{n}": "x" * 3_000 for n in range(9)})
    (text,) = line["fields"].values()
    assert len(text) == LINE_BYTES_MAX
    assert text.startswith('{"f0":"xxx')


def test_full_queue_drops_the_new_lines_and_the_next_batch_says_how_many() -> None:
    queue = filled(13, 10)
    batch = queue.take()
    assert [line["event"] for line in batch] == ["lines_dropped"] + ["thing_happened"] * 10
    assert batch[0]["fields"] == {"dropped_count": 3}
    assert (batch[0]["level"], batch[0]["source"]) == ("warn", "collector")
    assert queue.dropped_count == 3
    queue.add(AT_MS, "collector", "info", "e", {})
    assert [line["event"] for line in queue.take()] == ["e"]


def test_batches_are_bounded_and_in_order() -> None:
    queue = filled(BATCH_LINES_MAX + 5, 1_000)
    batches = [queue.take(), queue.take(), queue.take()]
    assert [len(batch) for batch in batches] == [BATCH_LINES_MAX, 5, 0]
    numbers = [line["fields"]["number"] for batch in batches for line in batch]
    assert numbers == list(range(BATCH_LINES_MAX + 5))


def test_batch_that_was_not_sent_goes_back_to_the_front_with_its_keys() -> None:
    queue = filled(3, 10)
    batch = queue.take()
    queue.add(AT_MS, "collector", "info", "later", {})
    queue.put_back(batch)
    again = queue.take()
    assert [line["line_key"] for line in again[:3]] == [line["line_key"] for line in batch]
    assert again[3]["event"] == "later"


def test_batch_that_does_not_fit_any_more_loses_its_oldest_lines() -> None:
    queue = filled(3, 3)
    batch = queue.take()
    queue.add(AT_MS, "collector", "info", "later", {})
    queue.put_back(batch)
    again = queue.take()
    assert again[0]["fields"] == {"dropped_count": 1}
    assert [line["fields"].get("number") for line in again[1:]] == [1, 2, None]
