create or replace function ops.find_slot(
    inout run_id bigint default null,
    inout venue text default null,
    inout "interval" text default null,
    inout closed_at timestamptz default null
)
returns record
language plpgsql
stable
security definer
set search_path = ''
as $$
-- Complete what is known of a slot: that of a run, or the newest slot of a venue and interval, at
-- a close if there is one. A close that nobody made a run for is a slot, too, as long as venue
-- and interval are given or can only be one. PT404 if there is nothing like that; PT400 if the
-- interval has no such close.
declare
    wanted_run alias for run_id;
    found record;
begin
    if "interval" is not null and ops.interval_s("interval") is null then
        raise sqlstate 'PT400' using
            message = format('expected a kline interval, was %s', "interval"), hint = 'interval';
    end if;
    if closed_at is not null and "interval" is not null
        and not ops.is_close("interval", closed_at)
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a close of %s, was %s', "interval",
                to_char(closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ),
            hint = 'slot';
    end if;
    select
        runs.id,
        runs.venue,
        runs."interval",
        runs.closed_at
    into found
    from ops.runs
    where (wanted_run is null or runs.id = wanted_run)
        and (find_slot.venue is null or runs.venue = find_slot.venue)
        and (find_slot."interval" is null or runs."interval" = find_slot."interval")
        and (find_slot.closed_at is null or runs.closed_at = find_slot.closed_at)
    order by
        runs.closed_at desc,
        -- Of slots that closed together the shortest: it is looked at most.
        ops.interval_s(runs."interval"),
        runs.id
    limit 1;
    if found.id is not null then
        run_id := found.id;
        venue := found.venue;
        "interval" := found."interval";
        closed_at := found.closed_at;
        return;
    end if;
    if wanted_run is not null or closed_at is null or "interval" is null then
        raise sqlstate 'PT404' using
            message = format(
                'expected %s, found none',
                coalesce('run ' || wanted_run, nullif(concat_ws(
                    ' ', 'a slot with a run of', venue, "interval",
                    to_char(closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                ), 'a slot with a run of'), 'a run')
            ),
            hint = '`closebell runs list` shows those there are';
    end if;
    venue := coalesce(venue, 'binance');
end
$$;
comment on function ops.find_slot(bigint, text, text, timestamptz) is
    'The slot of a run, or the newest that is like what is given.';
revoke all on function ops.find_slot(bigint, text, text, timestamptz)
from public, anon, authenticated;
