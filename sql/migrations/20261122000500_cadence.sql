-- Why: a trader may be evaluated at some closes only: every N closes, or at the closes that a cron
--   expression names. Which closes is a pure function of the cadence and the close (docs/decisions
--   0015), so it survives restarts, and slots at which nobody is due are not made.
-- Locks: access exclusive on public.traders and public.trader_versions while existing rows (all
--   'close') are checked and one index is built: tens of milliseconds for 10,000 traders.
-- Way back: ops.slots_missing and public.feed_status as in 20261121000400 (drop, create, grant);
--   drop view ops.cadences;
--   drop index public.traders_enabled_cadence_idx; alter table public.traders drop column cadence;
--   alter table public.trader_versions drop column cadence; drop the functions below.

set local lock_timeout = '5s';

-- A constraint and a view call these, so they are part of the schema and not of sql/routines; the
-- parser beneath them (ops.parse_cron, ops.cron_instants) is shared with the schedules and is there.

create function ops.cadence_count(cadence text)
returns integer
language sql
immutable
strict
parallel safe
return substring(cadence from '^every ([2-9]|[1-9][0-9]{1,2}|1000) closes$')::integer;
comment on function ops.cadence_count(text) is
    'N of a cadence ''every N closes'', 2 to 1,000; null if it is another.';

create function ops.is_cadence(cadence text)
returns boolean
language plpgsql
immutable
parallel safe
-- A constraint runs with the rights of whoever writes the row, and they see nothing of ops.
security definer
set search_path = ''
as $$
-- A date that never comes is none: 29 February is a given weekday at least once in 40 years.
begin
    return cadence = 'close'
        or ops.cadence_count(cadence) is not null
        or (
            length(cadence) <= 100
            and exists (select from ops.cron_instants(cadence, 'epoch', '2011-01-01Z', 1))
        );
exception
    when sqlstate 'PT400' then
        return false;
end
$$;
comment on function ops.is_cadence(text) is
    'Whether a text is a cadence: close, every N closes (2 to 1,000), or a cron expression.';

create function ops.due_closes(
    cadence text, "interval" text, after timestamptz, until timestamptz
)
returns setof timestamptz
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- The closes of an interval at which a cadence is due, after one instant up to and with another,
-- in order. close: each. every N closes: those whose number since the epoch is a multiple of N.
-- Cron: the first close at or after each instant of the expression.
declare
    length interval := make_interval(secs => ops.interval_s("interval"));
    step interval := case
        when cadence = 'close' then length
        else length * ops.cadence_count(cadence)
    end;
    instant timestamptz;
    closed_at timestamptz;
    previous timestamptz;
begin
    if step is not null then
        return query
        select slot.closed_at
        from generate_series(
            date_bin(step, after, timestamptz 'epoch') + step, until, step
        ) as slot (closed_at);
        return;
    end if;
    for instant in
        select instants
        from ops.cron_instants(
            cadence,
            date_bin(length, after, timestamptz 'epoch'),
            date_bin(length, until, timestamptz 'epoch')
        ) as instants
    loop
        closed_at := date_bin(length, instant - interval '1 microsecond', timestamptz 'epoch')
            + length;
        -- Several instants in one bar are one close.
        if closed_at is distinct from previous then
            return next closed_at;
        end if;
        previous := closed_at;
    end loop;
end
$$;
comment on function ops.due_closes(text, text, timestamptz, timestamptz) is
    'The closes at which a cadence is due, after one instant up to and with another, in order.';

create function ops.before_bars(cadence text, "interval" text, closed_at timestamptz)
returns integer
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- How many bars before a close the previous due close of a cadence is, 1 to 500; 500 also if it
-- is further away: no function holds more bars. Cron is searched backwards, ever longer spans.
declare
    length interval := make_interval(secs => ops.interval_s("interval"));
    every_count integer := ops.cadence_count(cadence);
    oldest timestamptz := closed_at - length * 501;
    until timestamptz := closed_at - length;
    span interval := interval '1 day';
    instant timestamptz;
begin
    if cadence = 'close' then
        return 1;
    end if;
    if every_count is not null then
        return least(
            500,
            coalesce(
                nullif(
                    (extract(epoch from closed_at)::bigint / ops.interval_s("interval"))
                    % every_count,
                    0
                ),
                every_count
            )
        );
    end if;
    while until > oldest loop
        select max(instants)
        into instant
        from ops.cron_instants(cadence, greatest(until - span, oldest), until) as instants;
        if instant is not null then
            return floor(extract(epoch from closed_at - instant) / ops.interval_s("interval"));
        end if;
        until := until - span;
        span := span * 2;
    end loop;
    return 500;
end
$$;
comment on function ops.before_bars(text, text, timestamptz) is
    'Bars from a close back to the previous due close of a cadence, 1 to 500 (the bound).';

revoke all on function
    ops.cadence_count(text), ops.is_cadence(text),
    ops.due_closes(text, text, timestamptz, timestamptz), ops.before_bars(text, text, timestamptz)
from public, anon, authenticated;
grant execute on function ops.is_cadence(text) to authenticated, service_role;

alter table public.traders
    add column cadence text not null default 'close'
        constraint traders_cadence_is_close_or_every_2_to_1000_closes_or_cron
        check (cadence = 'close' or ops.is_cadence(cadence));
comment on column public.traders.cadence is
    'At which closes it is evaluated: close (each), every N closes (2 to 1,000; multiples of N'
    ' since the epoch), or a cron expression in UTC (the first close at or after each instant).';

alter table public.trader_versions add column cadence text not null default 'close';
comment on column public.trader_versions.cadence is 'At which closes it was evaluated.';

-- Serves: ops.cadences, each distinct cadence and its earliest trader by one look each.
create index traders_enabled_cadence_idx
    on public.traders (venue, "interval", cadence, enabled_at)
    where enabled;

create view ops.cadences
with (security_invoker = true)
as
-- From one distinct key to the next: as many looks at the index as there are cadences, however
-- many traders share them.
with recursive keys as (
    (
        select traders.venue, traders."interval", traders.cadence, traders.enabled_at as since
        from public.traders
        where traders.enabled
        order by traders.venue, traders."interval", traders.cadence, traders.enabled_at
        limit 1
    )
    union all
    select following.venue, following."interval", following.cadence, following.enabled_at
    from keys
    cross join lateral (
        select traders.venue, traders."interval", traders.cadence, traders.enabled_at
        from public.traders
        where traders.enabled
            and (traders.venue, traders."interval", traders.cadence)
            > (keys.venue, keys."interval", keys.cadence)
        order by traders.venue, traders."interval", traders.cadence, traders.enabled_at
        limit 1
    ) as following
)
select
    keys.venue,
    keys."interval",
    keys.cadence,
    keys.since
from keys;
comment on view ops.cadences is
    'The distinct (venue, interval, cadence) of enabled traders: what decides which slots are owed.';
comment on column ops.cadences.venue is 'Venue id.';
comment on column ops.cadences."interval" is 'Kline interval.';
comment on column ops.cadences.cadence is 'close, every N closes, or a cron expression in UTC.';
comment on column ops.cadences.since is
    'Earliest enabled_at of its traders, UTC; closes before are owed to none of them.';

create or replace view ops.slots_missing
with (security_invoker = true)
as
with bounds as (
    select
        now() - interval '1 day' as after,
        now() - make_interval(secs => settings.value::integer) as until
    from ops.settings
    where settings.name = 'watch_after_s'
),
owed as (
    select distinct
        cadences.venue,
        cadences."interval",
        due.closed_at
    from ops.cadences
    cross join bounds
    cross join lateral ops.due_closes(
        cadences.cadence,
        cadences."interval",
        greatest(bounds.after, cadences.since - interval '1 microsecond'),
        bounds.until
    ) as due (closed_at)
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
    and greatest(runs.closed_at, runs.opened_at) < (select bounds.until from bounds);

-- A close at which nobody was due is not evaluated; without a trader of each close the newest
-- evaluated one may be old, and nothing is wrong.
create or replace view public.feed_status
as
select
    newest.venue,
    newest."interval",
    newest.feed,
    newest.closed_at,
    newest.finished_at,
    newest.complete,
    newest.missing_count,
    newest.frame_revision,
    exists (
        select
        from public.traders
        where traders.venue = newest.venue
            and traders."interval" = newest."interval"
            and traders.cadence = 'close'
            and traders.enabled
    ) as is_each_close
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
comment on column public.feed_status.is_each_close is
    'Whether some trader is due at each close; if not, a close may be old because nobody was due.';
