-- Why: slots, runs and logs. Every close that some trader is owed has one row per shard in
--   ops.runs; a missing slot is a query, a double tick changes nothing.
-- Locks: a moment's share row exclusive on public.traders for the foreign keys.
-- Way back: drop view public.feed_status, ops.slots_missing;
--   drop table ops.function_logs, ops.run_errors, ops.runs.

set local lock_timeout = '5s';

create table ops.runs (
    id bigint generated always as identity
        constraint runs_pkey primary key,
    function text not null default 'execute_traders'
        constraint runs_function_is_a_word check (function ~ '^[a-z][a-z0-9_]{0,62}$'),
    venue text not null
        constraint runs_venue_is_known check (venue in ('binance')),
    "interval" text not null
        constraint runs_interval_is_known check (ops.interval_s("interval") is not null),
    closed_at timestamptz not null,
    shard integer not null default 0,
    shard_count integer not null default 1,
    trader_id bigint
        constraint runs_trader_id_fkey references public.traders (id) on delete cascade,
    origin text not null
        constraint runs_origin_is_known check (origin in ('live', 'backfill')),
    status text not null default 'open'
        constraint runs_status_is_known check (status in ('open', 'claimed', 'finished', 'failed')),
    attempt integer not null default 0
        constraint runs_attempt_is_not_negative check (attempt >= 0),
    claim_token uuid,
    claimed_by text
        constraint runs_claimed_by_is_bounded check (length(claimed_by) between 1 and 200),
    claimed_at timestamptz,
    lease_until timestamptz,
    finished_at timestamptz,
    feed text
        constraint runs_feed_is_known check (feed in ('live', 'simulated', 'replay')),
    frame_revision integer
        constraint runs_frame_revision_is_positive check (frame_revision >= 1),
    complete boolean,
    missing_instruments text[] not null default '{}'
        constraint runs_missing_instruments_are_symbols
        check (cardinality(missing_instruments) <= 5000 and ops.are_symbols(missing_instruments)),
    traders_count integer
        constraint runs_traders_count_is_not_negative check (traders_count >= 0),
    signals_count integer not null default 0
        constraint runs_signals_count_is_not_negative check (signals_count >= 0),
    stats jsonb not null default '{}'
        constraint runs_stats_is_object check (jsonb_typeof(stats) = 'object'),
    error text
        constraint runs_error_is_bounded check (length(error) <= 2000),
    opened_at timestamptz not null default now(),
    constraint runs_closed_at_is_a_close check (ops.is_close("interval", closed_at)),
    constraint runs_shard_is_one_of_its_count check (shard >= 0 and shard < shard_count),
    constraint runs_of_one_trader_have_one_shard check (trader_id is null or shard_count = 1),
    constraint runs_claimed_has_a_holder check (
        status <> 'claimed'
        or (claim_token is not null and claimed_at is not null and lease_until is not null)
    ),
    constraint runs_finished_has_a_result check (
        status <> 'finished'
        or (finished_at is not null and feed is not null and frame_revision is not null
            and complete is not null)
    ),
    constraint runs_complete_misses_nothing check (
        not (complete and cardinality(missing_instruments) > 0)
    ),
    constraint runs_slot_is_unique
        unique nulls not distinct (function, venue, "interval", closed_at, shard, trader_id)
);
comment on table ops.runs is
    'One row per (function, venue, interval, close, shard): what is owed, who holds it, what came'
    ' of it. open → claimed → finished; back to open when the lease ends; failed after too many.';
comment on column ops.runs.id is 'Identity.';
comment on column ops.runs.function is 'Function that does the work.';
comment on column ops.runs.venue is 'Venue id.';
comment on column ops.runs."interval" is 'Kline interval.';
comment on column ops.runs.closed_at is 'The slot: the instant its klines closed, UTC.';
comment on column ops.runs.shard is 'This run''s traders have id % shard_count = shard.';
comment on column ops.runs.shard_count is 'Shards of this slot, count.';
comment on column ops.runs.trader_id is
    'The one trader of a run by hand or after a save; null: all traders of the shard.';
comment on column ops.runs.origin is
    'live, or backfill: opened more than 90 s after its close.';
comment on column ops.runs.status is 'open, claimed, finished, failed.';
comment on column ops.runs.attempt is 'Claims so far, count.';
comment on column ops.runs.claim_token is 'What the holder shows to finish; null: never claimed.';
comment on column ops.runs.claimed_by is 'Name of the last holder; null: never claimed.';
comment on column ops.runs.claimed_at is 'When it was claimed last, UTC; null: never.';
comment on column ops.runs.lease_until is
    'When the claim ends, UTC; null: nobody holds it.';
comment on column ops.runs.finished_at is 'When signals were stored last, UTC; null: not yet.';
comment on column ops.runs.feed is 'Where the data came from: live, simulated, replay.';
comment on column ops.runs.frame_revision is 'Revision of the frame that was evaluated, from 1.';
comment on column ops.runs.complete is
    'Whether every instrument was there; false: evaluated again when the rest comes.';
comment on column ops.runs.missing_instruments is 'Symbols still to be evaluated for this slot.';
comment on column ops.runs.traders_count is 'Traders evaluated, count.';
comment on column ops.runs.signals_count is 'Signals stored by this run in all attempts, count.';
comment on column ops.runs.stats is
    'Milliseconds of each stage, and under "emitted" the counts of the last emission.';
comment on column ops.runs.error is 'Text of the last failed attempt; null: none.';
comment on column ops.runs.opened_at is 'When the row was made, UTC.';
alter table ops.runs enable row level security;

-- Serves: ops.tick and ops.rescue_runs, "what is unfinished"; nearly empty when all is well.
create index runs_unfinished_idx on ops.runs (closed_at)
    where status in ('open', 'claimed') or not complete;
-- Serves: feed_status and ops.tick, the newest slots of an interval.
create index runs_venue_interval_closed_at_idx on ops.runs (venue, "interval", closed_at desc);
-- Serves: deleting a trader with its runs by hand.
create index runs_trader_id_idx on ops.runs (trader_id) where trader_id is not null;

create table ops.run_errors (
    id bigint generated always as identity
        constraint run_errors_pkey primary key,
    run_id bigint not null
        constraint run_errors_run_id_fkey references ops.runs (id) on delete cascade,
    trader_id bigint not null
        constraint run_errors_trader_id_fkey references public.traders (id) on delete cascade,
    code text not null
        constraint run_errors_code_is_1_to_100_characters check (length(code) between 1 and 100),
    message text not null
        constraint run_errors_message_is_bounded check (length(message) <= 1000),
    created_at timestamptz not null default now(),
    constraint run_errors_count_once_a_run unique (run_id, trader_id)
);
comment on table ops.run_errors is
    'A trader whose rule could not be evaluated in a run; one row however often the run is tried.';
comment on column ops.run_errors.id is 'Identity.';
comment on column ops.run_errors.run_id is 'The run.';
comment on column ops.run_errors.trader_id is 'The trader.';
comment on column ops.run_errors.code is 'Error code (docs/errors.md).';
comment on column ops.run_errors.message is 'What was expected and what was found.';
comment on column ops.run_errors.created_at is 'When it was stored, UTC.';
alter table ops.run_errors enable row level security;

-- Serves: the errors of one trader, newest first; and deleting a trader.
create index run_errors_trader_id_idx on ops.run_errors (trader_id, id desc);

create table ops.function_logs (
    id bigint generated always as identity
        constraint function_logs_pkey primary key,
    logged_at timestamptz not null default now(),
    source text not null
        constraint function_logs_source_is_1_to_100_characters
        check (length(source) between 1 and 100),
    level text not null
        constraint function_logs_level_is_known check (level in ('debug', 'info', 'warn', 'error')),
    event text not null
        constraint function_logs_event_is_1_to_200_characters
        check (length(event) between 1 and 200),
    -- No foreign keys: a line must be kept when its run or trader is gone.
    run_id bigint,
    trader_id bigint,
    fields jsonb not null default '{}'
        constraint function_logs_fields_is_object check (jsonb_typeof(fields) = 'object')
        constraint function_logs_fields_is_bounded check (pg_column_size(fields) <= 64000)
);
comment on table ops.function_logs is
    'What functions and routines have to say to an operator; kept for log_retention_days.';
comment on column ops.function_logs.id is 'Identity.';
comment on column ops.function_logs.logged_at is 'When the line was written, by its writer, UTC.';
comment on column ops.function_logs.source is 'Who writes: functions, postgres, ….';
comment on column ops.function_logs.level is 'debug, info, warn, error.';
comment on column ops.function_logs.event is 'What happened, as noun_verbed.';
comment on column ops.function_logs.run_id is 'The run it is about; null: none.';
comment on column ops.function_logs.trader_id is 'The trader it is about; null: none.';
comment on column ops.function_logs.fields is 'The rest, as an object of at most 64,000 bytes.';
alter table ops.function_logs enable row level security;

-- Serves: reading the newest lines, and retention.
create index function_logs_logged_at_idx on ops.function_logs (logged_at);
-- Serves: the lines of one run.
create index function_logs_run_id_idx on ops.function_logs (run_id) where run_id is not null;
-- Serves: ops.watch_slots, one line a slot however often it looks.
create unique index function_logs_slot_missed_once_idx on ops.function_logs ((fields ->> 'slot'))
    where event = 'slot_missed';

create view ops.slots_missing
with (security_invoker = true)
as
with due as (
    select
        traders.venue,
        traders."interval",
        make_interval(secs => ops.interval_s(traders."interval")) as length,
        min(traders.enabled_at) as since
    from public.traders
    where traders.enabled
    group by traders.venue, traders."interval"
),
owed as (
    select
        due.venue,
        due."interval",
        slot.closed_at
    from due
    cross join lateral generate_series(
        date_bin(due.length, now(), timestamptz 'epoch') - interval '1 day',
        now() - (
            select make_interval(secs => settings.value::integer)
            from ops.settings
            where settings.name = 'watch_after_s'
        ),
        due.length
    ) as slot (closed_at)
    where slot.closed_at >= due.since
)
select
    owed.venue,
    owed."interval",
    owed.closed_at,
    'missing' as status,
    null::bigint as run_id,
    null::integer as attempt,
    null::text as error
from owed
where not exists (
    select
    from ops.runs
    where runs.venue = owed.venue
        and runs."interval" = owed."interval"
        and runs.closed_at = owed.closed_at
        and runs.trader_id is null
)
union all
select
    runs.venue,
    runs."interval",
    runs.closed_at,
    runs.status,
    runs.id as run_id,
    runs.attempt,
    runs.error
from ops.runs
where runs.finished_at is null
    and runs.opened_at > now() - interval '1 day'
    and greatest(runs.closed_at, runs.opened_at) < now() - (
        select make_interval(secs => settings.value::integer)
        from ops.settings
        where settings.name = 'watch_after_s'
    );
comment on view ops.slots_missing is
    'Slots of the last day that have no run, or a run that did not finish, watch_after_s after'
    ' they closed. Empty when all is well.';
comment on column ops.slots_missing.venue is 'Venue id.';
comment on column ops.slots_missing."interval" is 'Kline interval.';
comment on column ops.slots_missing.closed_at is 'The slot, UTC.';
comment on column ops.slots_missing.status is 'missing, or the status of its run.';
comment on column ops.slots_missing.run_id is 'The run; null: there is none.';
comment on column ops.slots_missing.attempt is 'Claims so far, count; null: no run.';
comment on column ops.slots_missing.error is 'Text of the last failed attempt; null: none.';

-- Not security_invoker: users may see how fresh the data is, and nothing else of ops.runs.
create view public.feed_status
as
select
    newest.venue,
    newest."interval",
    newest.feed,
    newest.closed_at,
    newest.finished_at,
    newest.complete,
    newest.missing_count,
    newest.frame_revision
from unnest(array['binance']) as venues (venue)
cross join unnest(
    array['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d']
) as intervals ("interval")
cross join lateral (
    select
        runs.venue,
        runs."interval",
        runs.feed,
        runs.closed_at,
        runs.finished_at,
        runs.complete,
        cardinality(runs.missing_instruments) as missing_count,
        runs.frame_revision
    from ops.runs
    where runs.venue = venues.venue
        and runs."interval" = intervals."interval"
        and runs.finished_at is not null
    order by runs.closed_at desc, runs.finished_at desc
    limit 1
) as newest;
comment on view public.feed_status is
    'The newest slot that was evaluated, per venue and interval: how fresh signals are.';
comment on column public.feed_status.venue is 'Venue id.';
comment on column public.feed_status."interval" is 'Kline interval.';
comment on column public.feed_status.feed is 'Where the data came from: live, simulated, replay.';
comment on column public.feed_status.closed_at is 'Newest evaluated close, UTC.';
comment on column public.feed_status.finished_at is 'When its signals were stored, UTC.';
comment on column public.feed_status.complete is 'Whether every instrument was there.';
comment on column public.feed_status.missing_count is 'Instruments still missing, count.';
comment on column public.feed_status.frame_revision is 'Revision of the frame, from 1.';
