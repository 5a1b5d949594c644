"""What a configuration will use in a month of 30 days, from measured units and stated habits.

Pure: numbers in, amounts by meter out. The units are those of shared/cost/measured.toml (bench/
cost.py measures them on the real parts), the habits are defaults of Configuration and can be
changed. docs/cost.md says it in words. Not here: what it costs (prices.py).
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from shared.cost.commands import REVISED_SHARE, TRIM_SLACK, plan_commands, slots_per_month
from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.usage import Meter

DAYS = 30
MINUTES = DAYS * 24 * 60
SECONDS = MINUTES * 60
COMMANDS_MAX = 500_000
# `--intervals 3` means the first three: those the collector keeps by default.
INTERVALS = (Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.D1)
WINDOW_BARS = 501
# HISTORY_BARS, and those that wait to be trimmed.
FRAMES_KEPT = 600 + TRIM_SLACK
# Traders of a shard, one call each (ops.settings.shard_traders_max).
SHARD_TRADERS = 10_000
# How long rows stay (ops.settings); messages: Realtime's own.
SIGNAL_DAYS, LOG_DAYS, MESSAGE_DAYS = 30, 7, 3
# Rows of cron.job_run_details a day: three jobs a minute, one an hour, one each ten minutes.
JOBS_PER_DAY = 3 * 1_440 + 24 + 144
# A message beside its signals: topic, event, run, count.
MESSAGE_HEAD_BYTES = 300
# Planned, and not counted by the system: it never sees them.
DASHBOARD_BYTES = "dashboard_bytes"
REDIS_STORED_BYTES = "redis_stored_bytes"
REALTIME_CONNECTIONS = "realtime_connections"

MEASURED = Path(__file__).parent / "measured.toml"


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What is run, and the habits of those who use it."""

    symbols: int
    intervals: tuple[Interval, ...]
    traders: int
    # An alert that people keep is rare; 96 a day is what the form calls too noisy.
    signals_per_trader_day: float = 5.0
    # What the free tier of ours lets a user enable.
    traders_per_user: int = 10
    dashboard_hours_per_user_day: float = 2.0
    dashboard_opens_per_user_day: float = 3.0
    questions_per_user_day: float = 5.0
    saves_per_user_day: float = 0.2
    # Deployments, moves of the host, restarts: each reads all windows anew.
    starts_per_day: float = 1.0


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """Measured amounts; units in the names, per one of what the name ends with."""

    minutes: float
    runs: float
    signals: float
    traders_per_run: float
    symbols: float
    redis_commands_per_slot: float
    redis_write_bytes_per_symbol: float
    redis_read_bytes_per_symbol: float
    function_seconds_per_minute: float
    run_seconds: float
    evaluate_seconds: float
    invocations_per_minute: float
    egress_bytes_per_run: float
    listed_trader_bytes: float
    message_bytes: float
    message_signals: float
    signal_json_bytes: float
    database_rows_per_run: float
    database_base_bytes: float
    stored_signal_bytes: float
    stored_run_bytes: float
    stored_log_bytes: float
    stored_trader_bytes: float
    stored_message_bytes: float
    stored_job_bytes: float
    dashboard_minute_bytes: float
    dashboard_open_bytes: float
    dashboard_page_bytes: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The file of the units: when and how they were measured."""

    measured_on: str
    conditions: str
    units: Units


def load_measured(path: Path = MEASURED) -> Measured:
    """Return the measured units that came with this release."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Measured, strict=False)


def first_intervals(count: int) -> tuple[Interval, ...]:
    """Return the first intervals of the default. Raises: InvalidRequest if there are fewer."""
    if not 1 <= count <= len(INTERVALS):
        raise InvalidRequest(
            f"expected 1 to {len(INTERVALS)} intervals, or their names, was {count}",
            hint="or name them: --intervals 1m,5m,4h",
            field="intervals",
        )
    return INTERVALS[:count]


def check_configuration(asked: Configuration) -> None:
    """Raise InvalidRequest naming the first part that is impossible."""
    bounds: dict[str, tuple[float, float]] = {
        "symbols": (1, 1_000),
        "traders": (0, 1_000_000),
        "traders_per_user": (1, 1_000_000),
        "signals_per_trader_day": (0, 1_440),
        "dashboard_hours_per_user_day": (0, 24),
    }
    for field, (low, high) in bounds.items():
        value: Any = getattr(asked, field)
        if not low <= value <= high:
            name = field.replace("_", " ")
            raise InvalidRequest(
                f"expected {name} of {low:,.7g} to {high:,.7g}, was {value:,.7g}",
                field=field,
            )
    if not asked.intervals:
        raise InvalidRequest("expected at least one interval, was none", field="intervals")


def plan_usage(asked: Configuration, units: Units) -> dict[str, float]:
    """Return the amounts of a month by meter; of `database_bytes` its size after a month."""
    slots = slots_per_month(asked.intervals)
    traders_per_run = asked.traders / len(asked.intervals)
    shards = max(1, math.ceil(traders_per_run / SHARD_TRADERS))
    runs = slots * shards
    users = math.ceil(asked.traders / asked.traders_per_user)
    signals = asked.traders * asked.signals_per_trader_day * DAYS
    questions = users * asked.questions_per_user_day * DAYS
    saves = users * asked.saves_per_user_day * DAYS
    starts = asked.starts_per_day * DAYS
    open_share = asked.dashboard_hours_per_user_day / 24

    commands = plan_commands(
        asked.intervals, COMMANDS_MAX, starts=starts, questions=questions + saves
    )
    # A poke and a run a slot; the tick of each minute; a save runs its trader.
    invocations = slots + runs + MINUTES + questions + 2 * saves
    function_s = _function_seconds(asked, units, traders_per_run, runs, questions + 2 * saves)
    minutes_open = users * open_share * MINUTES
    read_frames = slots * (1 + REVISED_SHARE) + starts * len(asked.intervals) * WINDOW_BARS
    frame_bytes = (
        slots * (1 + REVISED_SHARE) * units.redis_write_bytes_per_symbol
        + read_frames * units.redis_read_bytes_per_symbol
    )
    # After a save every interval's next run is sent its traders anew: at most at each close.
    lists = sum(min(saves + starts, slots_per_month([i])) for i in asked.intervals)
    return {
        Meter.REDIS_COMMANDS: commands.total,
        Meter.REDIS_BYTES: frame_bytes * asked.symbols,
        Meter.FUNCTION_INVOCATIONS: invocations,
        Meter.FUNCTION_SECONDS: function_s,
        # Called each minute, a machine never falls idle; more work than time takes more machines.
        Meter.FUNCTION_MACHINE_SECONDS: SECONDS * max(1, math.ceil(function_s / SECONDS)),
        Meter.COLLECTOR_SECONDS: SECONDS,
        Meter.DATABASE_ROWS: runs * units.database_rows_per_run + 3 * signals,
        Meter.DATABASE_BYTES: _database_bytes(asked, units, runs, signals),
        Meter.EGRESS_BYTES: runs * units.egress_bytes_per_run
        + lists * traders_per_run * units.listed_trader_bytes
        + signals * open_share * (MESSAGE_HEAD_BYTES + units.signal_json_bytes)
        + minutes_open * units.dashboard_minute_bytes
        + users * asked.dashboard_opens_per_user_day * DAYS * units.dashboard_open_bytes,
        # Each signal a message of its own: one sent, one received where a dashboard is open.
        Meter.REALTIME_MESSAGES: signals * (1 + open_share),
        REDIS_STORED_BYTES: len(asked.intervals)
        * FRAMES_KEPT
        * asked.symbols
        * units.redis_write_bytes_per_symbol,
        REALTIME_CONNECTIONS: users * open_share,
        DASHBOARD_BYTES: users
        * asked.dashboard_opens_per_user_day
        * DAYS
        * units.dashboard_page_bytes,
    }


def _function_seconds(
    asked: Configuration, units: Units, traders_per_run: float, runs: float, calls: float
) -> float:
    """Return the time in which functions have work: waiting ticks, runs and calls of users."""
    # The engine's benchmark: ten times the traders take 2.9 times as long (they share nodes),
    # twice the symbols at most twice. Less is not counted as less.
    more_traders = math.sqrt(traders_per_run / units.traders_per_run)
    growth = max(1.0, more_traders * asked.symbols / units.symbols)
    run_s = units.run_seconds + units.evaluate_seconds * (growth - 1)
    waited_s = units.function_seconds_per_minute - units.run_seconds * units.runs / units.minutes
    return MINUTES * max(0.0, waited_s) + (runs + calls) * run_s


def _database_bytes(asked: Configuration, units: Units, runs: float, signals: float) -> float:
    return (
        units.database_base_bytes
        + asked.traders * units.stored_trader_bytes
        + signals * SIGNAL_DAYS / DAYS * units.stored_signal_bytes
        + runs * LOG_DAYS / DAYS * (units.stored_run_bytes + units.stored_log_bytes)
        + signals * MESSAGE_DAYS / DAYS * units.stored_message_bytes
        + JOBS_PER_DAY * LOG_DAYS * units.stored_job_bytes
    )
