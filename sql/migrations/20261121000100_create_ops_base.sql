-- Why: the private schema `ops` with what every later migration stands on: the words for
--   intervals and symbols that constraints use, the settings, and a place for secrets where
--   Supabase Vault is absent.
-- Locks: none on existing tables.
-- Way back: drop schema ops cascade.

set local lock_timeout = '5s';

-- Hosted projects have both extensions available and not enabled. Where one has no package
-- (pg_net on a laptop) its contract is there already, or is missed loudly by ops.call_function.
do $extensions$
begin
    if to_regnamespace('net') is null
        and exists (select from pg_catalog.pg_available_extensions where name = 'pg_net')
    then
        create extension pg_net;
    end if;
    -- pg_cron lives in one database of a cluster only.
    if to_regnamespace('cron') is null
        and current_setting('cron.database_name', true) = current_database()
        and exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron')
    then
        create extension pg_cron;
    end if;
end
$extensions$;

create schema ops;
comment on schema ops is
    'Private: slots, runs, logs, settings. Reached by routines and SQL editors, never by REST.';
revoke all on schema ops from public;

-- Constraints call these four, so they are part of the schema and not of sql/routines.

create function ops.interval_s("interval" text)
returns integer
language sql
immutable
parallel safe
return case "interval"
    when '1m' then 60
    when '3m' then 180
    when '5m' then 300
    when '15m' then 900
    when '30m' then 1800
    when '1h' then 3600
    when '2h' then 7200
    when '4h' then 14400
    when '6h' then 21600
    when '8h' then 28800
    when '12h' then 43200
    when '1d' then 86400
end;
comment on function ops.interval_s(text) is
    'Length of a kline interval in seconds; null if there is no such interval.';

create function ops.is_close("interval" text, instant timestamptz)
returns boolean
language sql
immutable
parallel safe
return extract(epoch from instant at time zone 'UTC') % ops.interval_s("interval") = 0;
comment on function ops.is_close(text, timestamptz) is
    'Whether klines of the interval close at that instant (all align to the UTC epoch).';

create function ops.is_symbol(symbol text)
returns boolean
language sql
immutable
parallel safe
-- Two cheap tests: a counted repetition in one pattern costs ten times as much.
return length(symbol) between 1 and 80 and symbol !~ '[[:space:][:cntrl:]"'',{}\\]';
comment on function ops.is_symbol(text) is
    'Whether a text can be a venue''s symbol: 1 to 80 characters, no blanks, quotes or commas.'
    ' Venues list symbols outside ASCII too.';

create function ops.are_symbols(symbols text[])
returns boolean
language sql
immutable
parallel safe
return not exists (
    select from unnest(symbols) as listed (symbol)
    where listed.symbol is null or not ops.is_symbol(listed.symbol)
);
comment on function ops.are_symbols(text[]) is 'Whether every element is a symbol.';

-- A constraint runs with the rights of whoever writes the row.
revoke all on function
    ops.interval_s(text), ops.is_close(text, timestamptz),
    ops.is_symbol(text), ops.are_symbols(text[])
from public;
grant execute on function
    ops.interval_s(text), ops.is_close(text, timestamptz),
    ops.is_symbol(text), ops.are_symbols(text[])
to authenticated, service_role;

create table ops.settings (
    name text
        constraint settings_pkey primary key
        constraint settings_name_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    value text not null
        constraint settings_value_is_bounded check (length(value) <= 1000),
    unit text not null
        constraint settings_unit_is_known
        check (unit in ('switch', 'count', 's', 'days', 'url', 'tier')),
    description text not null,
    constraint settings_value_fits_unit check (
        case unit
            when 'switch' then value in ('on', 'off')
            when 'count' then value ~ '^[1-9][0-9]{0,6}$'
            when 's' then value ~ '^[1-9][0-9]{0,6}$'
            when 'days' then value ~ '^[1-9][0-9]{0,3}$'
            when 'url' then value = '' or value ~ '^https?://[^[:space:]]+[^/[:space:]]$'
            else value <> ''
        end
    )
);
comment on table ops.settings is
    'What an operator may change while everything runs: update ops.settings set value = ….';
comment on column ops.settings.name is 'Word by which routines ask: ops.setting(name).';
comment on column ops.settings.value is 'The value as text, in `unit`.';
comment on column ops.settings.unit is
    'switch (on or off), count, s (seconds), days, url (no slash at the end), tier (tiers.id).';
comment on column ops.settings.description is 'What the value changes.';
alter table ops.settings enable row level security;

insert into ops.settings (name, value, unit, description)
values
    ('functions_url', '', 'url', 'Base address of the functions; empty: nothing is called.'),
    ('signals_enabled', 'on', 'switch', 'Kill switch: off stores no signal, runs stay open.'),
    ('default_tier', 'free', 'tier', 'Tier of a new user.'),
    ('stored_traders_per_enabled', '5', 'count',
        'Traders a user may store for each one the tier lets be enabled.'),
    ('shard_traders_max', '10000', 'count', 'Traders one run evaluates; more make more shards.'),
    ('catch_up_slots_max', '120', 'count',
        'Slots back from the newest, per interval, that a tick still creates and calls.'),
    ('dispatch_runs_max', '200', 'count', 'Runs named in one call of trigger_executions.'),
    ('run_lease_s', '30', 's', 'How long a claim holds a run.'),
    ('run_attempts_max', '20', 'count', 'Claims of a run that never finished before it fails.'),
    ('late_attempts_max', '10', 'count',
        'Claims of a run in all while instruments of its slot are missing.'),
    ('error_limit', '10', 'count', 'Failed evaluations in a row that disable a trader.'),
    ('clock_skew_s_max', '5', 's', 'How far ahead of our clock a close may be.'),
    ('watch_after_s', '90', 's', 'Age at which an unfinished slot is reported.'),
    ('signal_retention_days', '30', 'days', 'How long signals, overflows and outbox rows stay.'),
    ('log_retention_days', '7', 'days', 'How long runs, logs and schedule history stay.');

create table ops.local_secrets (
    name text
        constraint local_secrets_pkey primary key
        constraint local_secrets_name_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    value text not null
        constraint local_secrets_value_is_bounded check (length(value) between 16 and 1000)
);
comment on table ops.local_secrets is
    'Secrets where Vault is absent (a laptop). Ignored, and to be left empty, where it is present.';
comment on column ops.local_secrets.name is 'Word by which ops.secret(name) asks.';
comment on column ops.local_secrets.value is 'The secret as text, 16 to 1,000 characters.';
alter table ops.local_secrets enable row level security;

create table ops.schedules (
    name text
        constraint schedules_pkey primary key
        constraint schedules_name_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    schedule text not null
        constraint schedules_schedule_has_five_fields
        check (schedule ~ '^[^ ]+( [^ ]+){4}$'),
    command text not null
        constraint schedules_command_is_bounded check (length(command) between 1 and 1000),
    description text not null
);
comment on table ops.schedules is
    'The page sql/schedules.sql as rows; ops.schedules_drift() compares it with cron.job.';
comment on column ops.schedules.name is 'Name of the job in cron.job.';
comment on column ops.schedules.schedule is 'Cron expression, five fields, UTC.';
comment on column ops.schedules.command is 'SQL the job runs.';
comment on column ops.schedules.description is 'Why the job exists.';
alter table ops.schedules enable row level security;
