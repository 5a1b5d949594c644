create or replace function public.open_slot(
    venue text, "interval" text, closed_at_ms bigint, trader_id bigint default null
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Return the runs of a slot as {"runs": [{"run_id", "shard", "status"}]}, making those that are
-- missing. Status is open, claimed, finished, failed, or incomplete (finished, and instruments
-- are missing: worth a claim when their frame has a new revision). With trader_id: the run of
-- that trader alone; one that is over is opened again if the trader was changed since. No runs
-- are made for a slot at which nobody is due.
-- PT400 names the wrong argument in its hint.
declare
    slot_at timestamptz;
    runs_json jsonb;
begin
    if venue is null or venue not in ('binance') then
        raise sqlstate 'PT400' using
            message = format('expected a known venue, was %s', coalesce(venue, 'nothing')),
            hint = 'venue';
    end if;
    if ops.interval_s("interval") is null then
        raise sqlstate 'PT400' using
            message = format('expected a kline interval, was %s', coalesce("interval", 'nothing')),
            hint = 'interval';
    end if;
    -- The upper bound keeps a wrong unit (µs) from overflowing the calendar.
    if closed_at_ms is null or closed_at_ms < 0 or closed_at_ms > 253402300799000
        or not ops.is_close("interval", ops.from_ms(closed_at_ms))
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a close of %s in ms since 1970, was %s',
                "interval", coalesce(closed_at_ms::text, 'nothing')
            ),
            hint = 'closed_at_ms';
    end if;
    slot_at := ops.from_ms(closed_at_ms);
    if slot_at > clock_timestamp()
        + make_interval(secs => ops.setting('clock_skew_s_max')::integer)
    then
        raise sqlstate 'PT400' using
            message = format('expected a close in the past, was %s', slot_at),
            hint = 'closed_at_ms';
    end if;

    if trader_id is null then
        if ops.has_due_trader(venue, "interval", slot_at) then
            perform ops.open_runs(venue, "interval", array[slot_at], now());
        end if;
    else
        perform ops.open_trader_run(venue, "interval", slot_at, trader_id);
    end if;
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'run_id', runs.id,
                'shard', runs.shard,
                'status', case
                    when runs.status = 'finished' and not runs.complete then 'incomplete'
                    else runs.status
                end
            )
            order by runs.shard
        ),
        '[]'
    )
    into runs_json
    from ops.runs
    where runs.function = 'execute_traders'
        and runs.venue = open_slot.venue
        and runs."interval" = open_slot."interval"
        and runs.closed_at = slot_at
        and runs.trader_id is not distinct from open_slot.trader_id;
    -- The collector's poke comes by here without cron: who else should notice that cron is silent?
    perform ops.watch_if_late();
    return jsonb_build_object('runs', runs_json);
end
$$;
comment on function public.open_slot(text, text, bigint, bigint) is
    'Service only. The runs of a slot, made if missing: {"runs": [{run_id, shard, status}]}.';
revoke all on function public.open_slot(text, text, bigint, bigint)
from public, anon, authenticated;
grant execute on function public.open_slot(text, text, bigint, bigint) to service_role;
