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

-- A constraint and views call these, so they are part of the schema and not of sql/routines.

create function ops.read_cron_field(field text, low integer, high integer)
returns integer[]
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- The numbers that one field of a cron expression lists, ascending, or null if it is no field:
-- items n, n-m or *, the latter two with a /step, separated by commas.
declare
    item text;
    part text[];
    first integer;
    last integer;
    step integer;
    listed integer[] := array[]::integer[];
    all_numbers constant integer[] := array[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
        26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
        49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59
    ];
begin
    -- Nearly every field is one of these two, and a tick reads each cadence: a tenth of the time.
    if field = '*' then
        return all_numbers[low + 1:high + 1];
    elsif length(field) <= 2 and field ~ '^[0-9]+$' then
        return case when field::integer between low and high then array[field::integer] end;
    end if;
    foreach item in array string_to_array(field, ',') loop
        part := regexp_match(item, '^(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?$');
        if part is null or (part[3] is not null and part[1] is not null and part[2] is null) then
            return null;
        end if;
        first := coalesce(part[1]::integer, low);
        last := coalesce(part[2]::integer, part[1]::integer, high);
        step := coalesce(part[3]::integer, 1);
        if first < low or last > high or first > last or step < 1 or step > high then
            return null;
        end if;
        listed := listed || array(select generate_series(first, last, step));
    end loop;
    return array(
        select distinct numbers.number from unnest(listed) as numbers (number) order by 1
    );
end
$$;
comment on function ops.read_cron_field(text, integer, integer) is
    'The numbers that a field of a cron expression lists, ascending; null if it is not one.';

create function ops.read_cron(
    expression text,
    out minutes integer[],
    out hours integer[],
    out days integer[],
    out months integer[],
    out weekdays integer[],
    out is_either_day boolean
)
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- The fields of a cron expression (minute hour day month weekday, one space between them), or
-- nulls if it is none or its date never comes (30 February). As in cron: weekdays 0 and 7 are
-- Sunday; if neither day field begins with *, a day that fits either will do, else both must fit.
declare
    fields text[] := string_to_array(expression, ' ');
begin
    if length(expression) > 100 or cardinality(fields) <> 5 then
        return;
    end if;
    minutes := ops.read_cron_field(fields[1], 0, 59);
    hours := ops.read_cron_field(fields[2], 0, 23);
    days := ops.read_cron_field(fields[3], 1, 31);
    months := ops.read_cron_field(fields[4], 1, 12);
    weekdays := ops.read_cron_field(fields[5], 0, 7);
    is_either_day := not starts_with(fields[3], '*') and not starts_with(fields[5], '*');
    if 7 = any(weekdays) then
        weekdays := array(
            select distinct listed.weekday % 7 from unnest(weekdays) as listed (weekday) order by 1
        );
    end if;
    if minutes is null or hours is null or days is null or months is null or weekdays is null
        or (
            not is_either_day
            and days[1] > case
                when months && '{1,3,5,7,8,10,12}' then 31
                when months && '{4,6,9,11}' then 30
                else 29
            end
        )
    then
        minutes := null;
        hours := null;
        days := null;
        months := null;
        weekdays := null;
        is_either_day := null;
    end if;
end
$$;
comment on function ops.read_cron(text) is
    'The numbers each field of a cron expression lists, UTC; nulls if it is none, or never comes.';

create function ops.cron_instants(expression text, after timestamptz, until timestamptz)
returns setof timestamptz
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- The instants of a cron expression, UTC, after one instant up to and with another, in order;
-- none if it is not one. Loops, because a query would take longer to begin than most take to end.
declare
    cron record := ops.read_cron(expression);
    day timestamp := date_trunc('day', after at time zone 'UTC');
    hour_starts timestamptz;
    instant timestamptz;
    hour integer;
    minute integer;
    is_day boolean;
    is_weekday boolean;
begin
    if cron.minutes is null then
        return;
    end if;
    while day <= until at time zone 'UTC' loop
        is_day := extract(day from day) = any(cron.days);
        is_weekday := extract(dow from day) = any(cron.weekdays);
        if extract(month from day) = any(cron.months)
            and (is_day or is_weekday)
            and (cron.is_either_day or (is_day and is_weekday))
        then
            foreach hour in array cron.hours loop
                hour_starts := (day + make_interval(hours => hour)) at time zone 'UTC';
                exit when hour_starts > until;
                continue when hour_starts + interval '1 hour' <= after;
                foreach minute in array cron.minutes loop
                    instant := hour_starts + make_interval(mins => minute);
                    if instant > after and instant <= until then
                        return next instant;
                    end if;
                end loop;
            end loop;
        end if;
        day := day + interval '1 day';
    end loop;
end
$$;
comment on function ops.cron_instants(text, timestamptz, timestamptz) is
    'The instants of a cron expression, UTC, after one instant up to another, in order.';

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
begin
    return cadence = 'close'
        or ops.cadence_count(cadence) is not null
        or (ops.read_cron(cadence)).minutes is not null;
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
    ops.read_cron_field(text, integer, integer), ops.read_cron(text),
    ops.cron_instants(text, timestamptz, timestamptz), ops.cadence_count(text),
    ops.is_cadence(text), ops.due_closes(text, text, timestamptz, timestamptz),
    ops.before_bars(text, text, timestamptz)
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
