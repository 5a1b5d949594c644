create or replace function ops.open_due_slots(at timestamptz)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
-- Make the slots that are owed by now and have no run: the newest, and those that missed ticks
-- left behind. Returns how many runs were made.
-- Looked for by their absence, not counted on from the last one: a gap behind a newer slot is
-- found too. Bounded by catch_up_slots_max, by what retention keeps, and by the earliest
-- enabled_at (before it nobody was owed anything).
-- Costs by distinct cadence, not by trader; a cadence is not asked about closes that a trader of
-- each close is owed anyway; an interval without a new slot needs no lock and no count.
declare
    slots record;
    opened_count integer := 0;
    slots_max integer := ops.setting('catch_up_slots_max')::integer;
    kept_since timestamptz := at - make_interval(
        days => ops.setting('log_retention_days')::integer - 1
    );
begin
    for slots in
        select
            owed.venue,
            owed."interval",
            array_agg(distinct due.closed_at order by due.closed_at) as closed_ats
        from (
            select
                cadences.*,
                make_interval(secs => ops.interval_s(cadences."interval")) as length,
                min(cadences.since) filter (where cadences.cadence = 'close')
                    over (partition by cadences.venue, cadences."interval") as each_since
            from ops.cadences
        ) as owed
        cross join lateral (
            select
                greatest(
                    date_bin(owed.length, at, timestamptz 'epoch') - owed.length * slots_max,
                    owed.since - interval '1 microsecond',
                    kept_since
                ) as after,
                case
                    when owed.cadence = 'close' then at
                    else least(at, owed.each_since - interval '1 microsecond')
                end as until
        ) as span
        -- No span, no call: the function is strict, and reading an expression is what costs.
        cross join lateral ops.due_closes(
            owed.cadence,
            owed."interval",
            span.after,
            case when span.after < span.until then span.until end
        ) as due (closed_at)
        where not exists (
            select
            from ops.runs
            where runs.venue = owed.venue
                and runs."interval" = owed."interval"
                and runs.closed_at = due.closed_at
                and runs.trader_id is null
        )
        group by owed.venue, owed."interval"
        order by owed.venue, owed."interval"
    loop
        opened_count := opened_count + ops.open_runs(
            slots.venue, slots."interval", slots.closed_ats, at
        );
    end loop;
    return opened_count;
end
$$;
comment on function ops.open_due_slots(timestamptz) is
    'Make the runs of all slots owed by an instant, bounded; returns their count.';
revoke all on function ops.open_due_slots(timestamptz) from public, anon, authenticated;
