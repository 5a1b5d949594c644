"""Faults on demand: which are active, and what each does to a close, a request or the clock.

No sockets here: `venue.py` asks and acts. Monotonic seconds come in as an argument. What each kind
means is written in docs/simulated-market.md.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from local.venue.fault import Delivery, Fault, Kind, variant_of

# These count closed minutes; `no_trade` and `storm` count the minutes they begin in, `http` counts
# requests; the others take effect at once or last for their duration.
_CLOSE_KINDS = ("missing", "late", "reordered", "malformed", "duplicate")
ACTIVE_MAX = 1_000
_STORM_CLOSE_KINDS: tuple[Kind, ...] = (
    "duplicate",
    "late",
    "reordered",
    "missing",
    "malformed",
    "no_trade",
)


class _Active:
    """A fault in force: minutes or requests left (None: no limit), until when (None: for ever)."""

    def __init__(self, fault: Fault, left: int | None, until_s: float | None) -> None:
        self.fault = fault
        self.left = left
        self.until_s = until_s
        self.symbols = None if fault.symbols is None else frozenset(fault.symbols)

    def is_over(self, now_s: float) -> bool:
        return self.left == 0 or (self.until_s is not None and now_s >= self.until_s)

    def count_down(self) -> None:
        if self.left is not None:
            self.left -= 1

    def touches(self, symbol: str) -> bool:
        return self.symbols is None or symbol in self.symbols


class Faults:
    """The faults in force, and how often each kind has struck."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = symbols
        self._active: dict[int, _Active] = {}
        self._next_id = 1
        self.struck: Counter[str] = Counter()

    def add(self, fault: Fault, now_s: float) -> int:
        """Put a fault in force; return its id.

        Raises: ValueError if too many are, or a value is out of range.
        """
        if len(self._active) >= ACTIVE_MAX:
            raise ValueError(f"expected at most {ACTIVE_MAX} faults in force")
        unknown = set(fault.symbols or ()) - set(self._symbols)
        if unknown:
            raise ValueError(f"expected symbols of this market, was {sorted(unknown)[0]!r}")
        left = fault.count
        if left is None and fault.duration_s is None:
            left = 1
        if fault.kind in ("silence", "wrong_clock", "disconnect"):
            left = None
        duration_s = fault.duration_s
        if duration_s is None and fault.kind in ("silence", "wrong_clock"):
            duration_s = 60.0
        until_s = None if duration_s is None else now_s + duration_s
        fault_id = self._next_id
        self._next_id += 1
        if fault.kind == "server_shutdown" or (fault.kind == "malformed" and not fault.replace):
            # Acted out at once, nothing stays in force.
            return fault_id
        if fault.kind == "disconnect" and duration_s is None:
            return fault_id
        self._active[fault_id] = _Active(fault, left, until_s)
        return fault_id

    def clear(self) -> None:
        """End all faults."""
        self._active.clear()

    def is_silent(self, symbol: str, now_s: float) -> bool:
        """Return whether data of this symbol is held back (for good)."""
        return any(one.touches(symbol) for one in self._of("silence", now_s))

    def any_silence(self, now_s: float) -> bool:
        """Return whether it is worth asking symbol by symbol."""
        return bool(self._of("silence", now_s))

    def refuses_sockets(self, now_s: float) -> bool:
        """Return whether new sockets are refused: a disconnect with a duration."""
        return bool(self._of("disconnect", now_s))

    def clock_offset_ms(self, now_s: float) -> int:
        """Return by how much the venue's announced time is wrong."""
        return sum(one.fault.offset_ms for one in self._of("wrong_clock", now_s))

    def http_fault(self, path: str, now_s: float) -> Fault | None:
        """Return the fault that this request meets, and count it as met."""
        for one in self._of("http", now_s):
            if path.startswith(one.fault.path):
                one.count_down()
                self.struck["http"] += 1
                return one.fault
        return None

    def storm_faults(self, open_time_ms: int, now_s: float) -> list[Fault]:
        """Return what the storms in force do to this minute: the same for the same seed."""
        result: list[Fault] = []
        for one in self._of("storm", now_s):
            one.count_down()
            rng = random.Random(f"{one.fault.seed}:{open_time_ms}")
            pool = one.fault.symbols or list(self._symbols)
            for symbol in pool:
                if rng.random() < one.fault.share:
                    kind = rng.choice(_STORM_CLOSE_KINDS)
                    result.append(
                        Fault(kind=kind, symbols=[symbol], replace=True, seed=rng.randrange(10**6))
                    )
            if rng.random() < 0.1:
                result.append(Fault(kind="disconnect"))
            if rng.random() < 0.1:
                result.append(Fault(kind="http", status=429, retry_after_s=1, count=3))
        return result

    def no_trade_symbols(self, now_s: float) -> list[str]:
        """Return the symbols that do not trade in the minute that begins."""
        faults = self._of("no_trade", now_s)
        for one in faults:
            one.count_down()
        return [s for s in self._symbols if any(one.touches(s) for one in faults)]

    def plan_closes(self, plain: Iterable[tuple[int, int]], now_s: float) -> list[Delivery]:
        """Return how the closes of a minute go out; `plain` holds (index, delay_ms) of each."""
        active = {kind: self._of(kind, now_s) for kind in _CLOSE_KINDS}
        if not any(active.values()):
            return [Delivery(index, delay_ms) for index, delay_ms in plain]
        result: list[Delivery] = []
        for index, delay_ms in plain:
            hit = {
                kind: one.fault
                for kind, those in active.items()
                for one in those
                if one.touches(self._symbols[index])
            }
            self.struck.update(hit.keys())
            if "missing" in hit:
                continue
            delay_minutes = 0
            if late := hit.get("late"):
                delay_minutes = late.delay_minutes
                delay_ms += 5_000 if late.delay_ms is None else late.delay_ms
            malformed = hit.get("malformed")
            variant = None if malformed is None else variant_of(malformed, index)
            delivery = Delivery(index, delay_ms, delay_minutes, variant, "reordered" in hit)
            result.append(delivery)
            if duplicate := hit.get("duplicate"):
                again_ms = 50 if duplicate.delay_ms is None else duplicate.delay_ms
                minutes = delay_minutes + duplicate.delay_minutes
                result.append(Delivery(index, delay_ms + again_ms, minutes, variant))
        if active["reordered"]:
            # Also among the symbols: the last first.
            result.reverse()
        return result

    def end_minute(self, now_s: float) -> None:
        """Count one minute off every fault that counts minutes."""
        for one in list(self._active.values()):
            if one.fault.kind in _CLOSE_KINDS:
                one.count_down()
        self._drop_over(now_s)

    def in_force(self, now_s: float) -> list[dict[str, object]]:
        """Return the active faults for `/control/state`."""
        self._drop_over(now_s)
        return [
            {"id": fault_id, "kind": one.fault.kind, "left": one.left, "symbols": one.fault.symbols}
            for fault_id, one in self._active.items()
        ]

    def _of(self, kind: str, now_s: float) -> list[_Active]:
        return [
            one
            for one in self._active.values()
            if one.fault.kind == kind and not one.is_over(now_s)
        ]

    def _drop_over(self, now_s: float) -> None:
        over = [fault_id for fault_id, one in self._active.items() if one.is_over(now_s)]
        for fault_id in over:
            del self._active[fault_id]
