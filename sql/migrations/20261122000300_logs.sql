-- Why: one stream of log lines that an operator can filter and follow, that is never written
--   twice, and that can never fill the database.
-- Locks: access exclusive on ops.function_logs and ops.run_errors while their indexes are built:
--   well under a second for the week of lines that is kept.
-- Way back: drop view ops.slots, ops.log_lines; drop table ops.log_days;
--   alter table ops.function_logs drop column symbol, drop column line_key;
--   drop index ops.run_errors_created_at_idx; delete the four settings log_*.

set local lock_timeout = '5s';

alter table ops.function_logs
    add column symbol text
        constraint function_logs_symbol_is_1_to_80_characters
        check (length(symbol) between 1 and 80),
    add column line_key uuid;
comment on column ops.function_logs.source is
    'Who writes: a function by its name, functions (none in particular), collector, schedules,'
    ' postgres.';
comment on column ops.function_logs.symbol is 'The instrument it is about; null: none.';
comment on column ops.function_logs.line_key is
    'Given by the writer, so that a batch that is sent again is stored once; null: not repeatable.';

-- Serves: write_logs, a batch whose answer was lost.
create unique index function_logs_line_is_stored_once_idx on ops.function_logs (line_key)
    where line_key is not null;
-- Serves: the newest lines of some sources.
create index function_logs_source_logged_at_idx on ops.function_logs (source, logged_at);
-- Serves: the newest warnings and errors; they are few.
create index function_logs_problems_idx on ops.function_logs (logged_at)
    where level in ('warn', 'error');
-- Serves: the lines of one trader.
create index function_logs_trader_id_idx on ops.function_logs (trader_id, logged_at)
    where trader_id is not null;
-- Serves: the lines of one instrument.
create index function_logs_symbol_idx on ops.function_logs (symbol, logged_at)
    where symbol is not null;
-- Serves: ops.log_lines, the newest failures of traders among the newest lines.
create index run_errors_created_at_idx on ops.run_errors (created_at);

create table ops.log_days (
    id bigint generated always as identity
        constraint log_days_pkey primary key,
    day date not null,
    lines_count integer not null default 0
        constraint log_days_lines_count_is_not_negative check (lines_count >= 0),
    bytes_count bigint not null default 0
        constraint log_days_bytes_count_is_not_negative check (bytes_count >= 0),
    sampled_count integer not null default 0
        constraint log_days_sampled_count_is_not_negative check (sampled_count >= 0),
    dropped_count integer not null default 0
        constraint log_days_dropped_count_is_not_negative check (dropped_count >= 0)
);
comment on table ops.log_days is
    'How much was logged on a day. A day has as many rows as there were writers at one moment, so'
    ' that none waits for another; the sum over them is the day''s.';
comment on column ops.log_days.id is 'Identity.';
comment on column ops.log_days.day is 'The day the lines were stored, UTC.';
comment on column ops.log_days.lines_count is 'Lines stored, count.';
comment on column ops.log_days.bytes_count is 'What they take with their index entries, bytes.';
comment on column ops.log_days.sampled_count is 'Lines left out by sampling, count.';
comment on column ops.log_days.dropped_count is 'Lines left out because the day was full, count.';
alter table ops.log_days enable row level security;

-- Serves: ops.log_share_used, at each write of lines; and retention.
create index log_days_day_idx on ops.log_days (day);

create view ops.log_lines
with (security_invoker = true)
as
select
    function_logs.logged_at,
    function_logs.source,
    function_logs.level,
    function_logs.event,
    function_logs.run_id,
    function_logs.trader_id,
    function_logs.symbol,
    function_logs.fields,
    'lines' as part,
    function_logs.id as line_id
from ops.function_logs
union all
select
    run_errors.created_at as logged_at,
    'execute_traders' as source,
    'warn' as level,
    'trader_failed' as event,
    run_errors.run_id,
    run_errors.trader_id,
    null as symbol,
    jsonb_build_object('code', run_errors.code, 'message', run_errors.message) as fields,
    'errors' as part,
    run_errors.id as line_id
from ops.run_errors;
comment on view ops.log_lines is
    'Every line of functions, collector, schedules and database, and each failed trader of a run.';
comment on column ops.log_lines.logged_at is 'When the line was written, by its writer, UTC.';
comment on column ops.log_lines.source is 'Who wrote it: see ops.function_logs.source.';
comment on column ops.log_lines.level is 'debug, info, warn, error.';
comment on column ops.log_lines.event is 'What happened, as noun_verbed.';
comment on column ops.log_lines.run_id is 'The run it is about; null: none.';
comment on column ops.log_lines.trader_id is 'The trader it is about; null: none.';
comment on column ops.log_lines.symbol is 'The instrument it is about; null: none.';
comment on column ops.log_lines.fields is 'The rest, as an object.';
comment on column ops.log_lines.part is 'lines (ops.function_logs) or errors (ops.run_errors).';
comment on column ops.log_lines.line_id is 'The id of its row there.';

create view ops.slots
with (security_invoker = true)
as
select
    runs.venue,
    runs."interval",
    runs.closed_at,
    case
        when bool_or(runs.status = 'failed') then 'failed'
        when bool_or(runs.status = 'open') then 'open'
        when bool_or(runs.status = 'claimed') then 'claimed'
        when bool_and(runs.complete) then 'finished'
        else 'incomplete'
    end as status,
    count(*)::integer as runs_count,
    (count(*) filter (where runs.status = 'finished'))::integer as finished_count,
    sum(runs.traders_count)::integer as traders_count,
    sum(runs.signals_count)::integer as signals_count,
    max(cardinality(runs.missing_instruments)) as missing_count,
    max(runs.attempt) as attempt,
    min(runs.origin) as origin,
    max(runs.finished_at) as finished_at,
    min(runs.id) as first_run_id,
    max(runs.error) as error
from ops.runs
where runs.trader_id is null
group by runs.venue, runs."interval", runs.closed_at;
comment on view ops.slots is
    'The shards of each slot as one row; runs of one trader (by hand, after a save) are left out.';
comment on column ops.slots.venue is 'Venue id.';
comment on column ops.slots."interval" is 'Kline interval.';
comment on column ops.slots.closed_at is 'The slot, UTC.';
comment on column ops.slots.status is
    'failed, open or claimed if any shard is; finished; incomplete: instruments are missing.';
comment on column ops.slots.runs_count is 'Shards, count.';
comment on column ops.slots.finished_count is 'Shards that are finished, count.';
comment on column ops.slots.traders_count is 'Traders evaluated, count; null: none yet.';
comment on column ops.slots.signals_count is 'Signals stored, count.';
comment on column ops.slots.missing_count is 'Instruments still missing, count.';
comment on column ops.slots.attempt is 'Claims of the shard that took most, count.';
comment on column ops.slots.origin is 'backfill if any shard was opened late, else live.';
comment on column ops.slots.finished_at is 'When signals were stored last, UTC; null: not yet.';
comment on column ops.slots.first_run_id is 'The smallest run id.';
comment on column ops.slots.error is 'Text of a failed attempt; null: none.';

revoke all on ops.log_days, ops.log_lines, ops.slots
from public, anon, authenticated, service_role;
revoke all on sequence ops.log_days_id_seq
from public, anon, authenticated, service_role;

insert into ops.settings (name, value, unit, description)
values
    ('log_rows_per_day_max', '50000', 'count', 'Log lines stored a day.'),
    ('log_megabytes_per_day_max', '15', 'count',
        'What the log lines of a day may take, with their index entries, in 1,000,000 bytes.'),
    ('log_sample_info', '1', 'count', 'Of so many info lines one is stored; 1: each.'),
    ('log_sample_debug', '100', 'count', 'Of so many debug lines one is stored; 1: each.');
