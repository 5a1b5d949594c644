"""A follower shows each line once, in whatever order transactions end."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.log_cursor import SEEN_MAX, SETTLE_S, LogCursor, Position


class Log:
    """A table of lines and the transactions that write them, as Postgres would show them."""

    def __init__(self) -> None:
        self.next_id = 1
        self.next_transaction = 100
        self.running: dict[int, list[int]] = {}
        self.visible: list[int] = []

    def begin(self) -> int:
        self.next_transaction += 1
        self.running[self.next_transaction - 1] = []
        return self.next_transaction - 1

    def write(self, transaction: int) -> None:
        self.running[transaction].append(self.next_id)
        self.next_id += 1

    def end(self, transaction: int, commits: bool) -> None:
        ids = self.running.pop(transaction)
        self.visible += ids if commits else []

    def position(self) -> Position:
        return Position(
            seen_before=min(self.running, default=self.next_transaction),
            next_transaction=self.next_transaction,
            newest={"lines": max(self.visible, default=0), "errors": 0},
        )

    def read(self, floor: int, limit: int) -> list[tuple[str, int]]:
        return [("lines", n) for n in sorted(self.visible) if n > floor][:limit]


STEPS = st.lists(
    st.one_of(
        st.just(("begin", 0)),
        st.tuples(st.just("write"), st.integers(0, 2)),
        st.tuples(st.just("commit"), st.integers(0, 2)),
        st.tuples(st.just("roll back"), st.integers(0, 2)),
        st.tuples(st.just("read"), st.sampled_from([1, 3])),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, before=st.integers(0, 5), limit=st.integers(2, 6))
def test_every_committed_line_is_shown_once(
    steps: list[tuple[str, int]], before: int, limit: int
) -> None:
    log = Log()
    for _ in range(before):
        transaction = log.begin()
        log.write(transaction)
        log.end(transaction, True)
    old = set(log.visible)
    cursor = LogCursor({"lines": sorted(old)[-3:], "errors": []}, 3)
    shown: Counter[int] = Counter()
    now_s = 0.0

    def read() -> None:
        nonlocal now_s
        while True:
            lines_max = limit + cursor.seen_count
            rows = log.read(cursor.floor["lines"], lines_max)
            cut = len(rows) >= lines_max
            for _, line_id in cursor.take(log.position(), rows, now_s, cut=cut):
                shown[line_id] += 1
            if not cut:
                return

    for _ in range(3):
        log.begin()
    for what, number in steps:
        running = sorted(log.running)
        if what == "begin" and len(running) < 6:
            log.begin()
        elif what == "read":
            now_s += number
            read()
        elif running:
            transaction = running[number % len(running)]
            if what == "write":
                log.write(transaction)
            elif what in ("commit", "roll back"):
                log.end(transaction, what == "commit")
    for transaction in sorted(log.running):
        log.end(transaction, True)
    read()
    assert shown == Counter(set(log.visible) - old)


def test_floor_rises_when_nothing_can_come_below_it_any_more() -> None:
    log = Log()
    cursor = LogCursor({"lines": [], "errors": []}, 3)
    slow, quick = log.begin(), log.begin()
    log.write(slow)
    log.write(quick)
    log.end(quick, True)
    assert cursor.take(log.position(), log.read(0, 9), 0.0, cut=False) == {("lines", 2)}
    assert cursor.take(log.position(), log.read(0, 9), 9.0, cut=False) == set()
    assert cursor.floor["lines"] == 0, "the slow one may still store line 1"
    log.end(slow, True)
    assert cursor.take(log.position(), log.read(0, 9), 10.0, cut=False) == {("lines", 1)}
    cursor.take(log.position(), log.read(0, 9), 11.0 + SETTLE_S, cut=False)
    assert cursor.floor["lines"] == 2


def test_line_under_way_at_the_start_is_shown() -> None:
    log = Log()
    slow, quick = log.begin(), log.begin()
    log.write(slow)
    log.write(quick)
    log.end(quick, True)
    cursor = LogCursor({"lines": [2], "errors": []}, 3)
    log.end(slow, True)
    rows = log.read(cursor.floor["lines"], 9)
    assert cursor.take(log.position(), rows, 0.0, cut=False) == {("lines", 1)}


def test_line_whose_transaction_has_no_number_yet_is_waited_for() -> None:
    log = Log()
    cursor = LogCursor({"lines": [], "errors": []}, 3)
    log.next_id += 1  # somebody has taken id 1 and nothing else
    quick = log.begin()
    log.write(quick)
    log.end(quick, True)
    cursor.take(log.position(), log.read(0, 9), 0.0, cut=False)
    cursor.take(log.position(), log.read(0, 9), SETTLE_S / 2, cut=False)
    assert cursor.floor["lines"] == 0
    log.visible.append(1)
    assert cursor.take(log.position(), log.read(0, 9), 1.5, cut=False) == {("lines", 1)}


def test_transaction_that_never_ends_is_given_up_with_a_count() -> None:
    position = Position(seen_before=1, next_transaction=9, newest={"lines": 10**6, "errors": 0})
    cursor = LogCursor({"lines": [], "errors": []}, 3)
    ids = [("lines", number) for number in range(1, SEEN_MAX + 2)]
    assert len(cursor.take(position, ids, 0.0, cut=False)) == SEEN_MAX + 1
    assert cursor.gave_up_count == 1
    assert cursor.floor["lines"] == SEEN_MAX + 1
