-- Why: what the system uses, counted by itself, so that a free tier never ends by surprise:
--   amounts by day and meter, the meters with their free limits, and how far each reporter has
--   been counted. Shows in ops.budget; filled by public.add_usage and ops.count_usage.
-- Locks: none on existing tables.
-- Way back: drop view ops.budget; drop table ops.usage, ops.usage_reporters, ops.meters;
--   delete from ops.settings where name in ('usage_retention_days').

set local lock_timeout = '5s';

create table ops.meters (
    meter text
        constraint meters_pkey primary key
        constraint meters_meter_is_a_word check (meter ~ '^[a-z][a-z0-9_]{0,62}$'),
    unit text not null
        constraint meters_unit_is_known check (unit in ('count', 'bytes', 's')),
    is_level boolean not null default false,
    free_limit numeric
        constraint meters_free_limit_is_positive check (free_limit > 0 and free_limit < 1e18),
    description text not null
);
comment on table ops.meters is
    'What is counted. A limit is changed by: update ops.meters set free_limit = … where meter = ….';
comment on column ops.meters.meter is 'Word by which reporters and readers name it.';
comment on column ops.meters.unit is 'count, bytes, s (seconds).';
comment on column ops.meters.is_level is
    'Whether its amount is a size at a moment (the newest of a day stays); else it adds up.';
comment on column ops.meters.free_limit is
    'What a month (a level: any moment) may use before it costs, in `unit`; null: nothing is free,'
    ' or nothing is charged.';
comment on column ops.meters.description is 'What counts, and whose limit it is.';
alter table ops.meters enable row level security;

-- The limits are those of shared/cost/prices.toml; a test compares them.
insert into ops.meters (meter, unit, is_level, free_limit, description)
values
    ('redis_commands', 'count', false, 500000,
        'Redis commands of collector and functions; free tier of Upstash.'),
    ('redis_bytes', 'bytes', false, 10000000000,
        'Bodies to and from Redis; free tier of Upstash.'),
    ('function_invocations', 'count', false, null,
        'Requests the functions answered. On Cloud Run 2,000,000 are free.'),
    ('function_seconds', 's', false, null,
        'Time in which a function process had work. On Cloud Run 180,000 are free at one vCPU.'),
    ('function_machine_seconds', 's', false, null,
        'Time a function process was up: what a Fly Machine costs.'),
    ('collector_seconds', 's', false, null,
        'Time the collector was up: what its Fly Machine costs.'),
    ('database_rows', 'count', false, null,
        'Rows inserted, updated and deleted in public and ops; not charged.'),
    ('database_bytes', 'bytes', true, 500000000,
        'Size of the database; free tier of Supabase.'),
    ('egress_bytes', 'bytes', false, 5000000000,
        'Bodies from Postgres to the functions, and messages to one dashboard a user; free tier'
        ' of Supabase. What dashboards read is not seen from here.'),
    ('realtime_messages', 'count', false, 2000000,
        'Messages sent, and received by one dashboard a user; free tier of Supabase.');

create table ops.usage (
    meter text not null
        constraint usage_meter_fkey references ops.meters (meter) on delete cascade,
    day date not null,
    amount numeric not null
        constraint usage_amount_is_not_negative check (amount >= 0 and amount < 1e18),
    first_at timestamptz not null default now(),
    settled_at timestamptz,
    settled_amount numeric not null default 0,
    constraint usage_pkey primary key (meter, day)
);
comment on table ops.usage is
    'What was used, by day (UTC) and meter; at most one row of each. Kept usage_retention_days.';
comment on column ops.usage.meter is 'The meter.';
comment on column ops.usage.day is 'The day it was reported, UTC: up to a minute after its use.';
comment on column ops.usage.amount is 'The sum of the day, or the newest level, in meters.unit.';
comment on column ops.usage.first_at is 'When the first amount of the day came, UTC.';
comment on column ops.usage.settled_at is
    'The last report in the first five minutes of the day, UTC: where a rate begins; null: first_at.';
comment on column ops.usage.settled_amount is
    'Amount at settled_at: on the first day the history a new system loads, once; in no rate.';
alter table ops.usage enable row level security;

create table ops.usage_reporters (
    reporter text
        constraint usage_reporters_pkey primary key
        constraint usage_reporters_reporter_is_a_word
        check (reporter ~ '^[a-z][a-z0-9-]{0,62}$'),
    totals jsonb not null default '{}'
        constraint usage_reporters_totals_is_object check (jsonb_typeof(totals) = 'object')
        constraint usage_reporters_totals_is_bounded check (pg_column_size(totals) <= 2000),
    reported_at timestamptz not null default now()
);
comment on table ops.usage_reporters is
    'How far each process is counted. It reports what it used since its start; the difference to'
    ' what is here is added, so that a report that is lost, repeated or late does no harm.';
comment on column ops.usage_reporters.reporter is 'The process: its part and a random word.';
comment on column ops.usage_reporters.totals is 'Meter → amount since the start of the process.';
comment on column ops.usage_reporters.reported_at is 'When it reported last, UTC.';
alter table ops.usage_reporters enable row level security;

-- Serves: forgetting reporters that are silent.
create index usage_reporters_reported_at_idx on ops.usage_reporters (reported_at);

insert into ops.settings (name, value, unit, description)
values
    ('usage_retention_days', '400', 'days', 'How long the amounts of a day stay.');

create view ops.budget
with (security_invoker = true)
as
with clock as (
    select
        now() as at,
        (now() at time zone 'UTC')::date as today
),
used as (
    select
        meters.meter,
        meters.unit,
        meters.is_level,
        meters.free_limit,
        -- The rate of a week, so that one busy hour is no alarm; less than a week: since then.
        min(usage.first_at) filter (where usage.day > clock.today - 7) as since,
        sum(usage.amount) filter (where usage.day > clock.today - 7) as used_in_week,
        sum(usage.amount)
            filter (where usage.day >= date_trunc('month', clock.today)) as used_month,
        coalesce(sum(usage.amount) filter (where usage.day = clock.today), 0) as used_today,
        (array_agg(usage.amount order by usage.day desc))[1] as newest,
        max(usage.day) as newest_day,
        (array_agg(usage.amount order by usage.day) filter (where usage.day > clock.today - 7))[1]
            as oldest,
        -- Where the rate begins: not with the history that a new system loads once.
        (array_agg(coalesce(usage.settled_at, usage.first_at) order by usage.day)
            filter (where usage.day > clock.today - 7))[1] as settled_at,
        (array_agg(usage.settled_amount order by usage.day)
            filter (where usage.day > clock.today - 7))[1] as settled_amount,
        min(usage.day) filter (where usage.day > clock.today - 7) as oldest_day,
        clock.at
    from ops.meters
    cross join clock
    left join ops.usage on usage.meter = meters.meter and usage.day <= clock.today
    group by meters.meter, clock.at
),
projected as (
    select
        used.*,
        case
            when used.is_level then
                -- It goes on growing as it did from day to day; it never shrinks on paper.
                used.newest + 30 * greatest(used.newest - used.oldest, 0)
                / nullif(greatest(used.newest_day - used.oldest_day, 1), 0)
            when used.at - used.since >= interval '10 minutes'
                and used.at > used.settled_at
                then
                greatest(
                    used.used_month,
                    (used.used_in_week - used.settled_amount) * 30 * 86400
                    / extract(epoch from used.at - used.settled_at)
                )
        end as projected_month
    from used
)
select
    projected.meter,
    projected.unit,
    case when projected.is_level then projected.newest else projected.used_today end as used_today,
    case when projected.is_level then projected.newest else projected.used_month end as used_month,
    projected.projected_month,
    projected.free_limit,
    projected.projected_month / projected.free_limit as share,
    projected.since
from projected;
comment on view ops.budget is
    'Each meter against what is free: the watchdog raises budget_exceeded where share > 1.';
comment on column ops.budget.meter is 'The meter.';
comment on column ops.budget.unit is 'Unit of the amounts: count, bytes, s.';
comment on column ops.budget.used_today is
    'Amount since midnight UTC; of a level the newest, null if it was never taken.';
comment on column ops.budget.used_month is
    'Amount of this calendar month; of a level the newest. Null: nothing was counted.';
comment on column ops.budget.projected_month is
    'A month of 30 days at the rate of the last seven, at least what this month has used; of a'
    ' level its size in 30 days. Null: counted for less than ten minutes.';
comment on column ops.budget.free_limit is 'What is free a month, see ops.meters; null: no limit.';
comment on column ops.budget.share is 'projected_month / free_limit; null where one is missing.';
comment on column ops.budget.since is 'Start of what the rate is taken from, UTC.';

revoke all on ops.meters, ops.usage, ops.usage_reporters, ops.budget
from public, anon, authenticated, service_role;
