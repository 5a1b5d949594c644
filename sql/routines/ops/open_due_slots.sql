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
declare
    -- Read once, not once a slot.
    slots_max integer := ops.setting('catch_up_slots_max')::integer;
    kept_since timestamptz := at - make_interval(
        days => ops.setting('log_retention_days')::integer - 1
    );
    due record;
    missing timestamptz[];
    opened_count integer := 0;
begin
    for due in
        select
            traders.venue,
            traders."interval",
            min(traders.enabled_at) as since,
            make_interval(secs => ops.interval_s(traders."interval")) as length
        from public.traders
        where traders.enabled
        group by traders.venue, traders."interval"
        order by traders.venue, traders."interval"
    loop
        missing := array(
            select slot.closed_at
            from generate_series(
                date_bin(due.length, at, timestamptz 'epoch') - due.length * (slots_max - 1),
                at,
                due.length
            ) as slot (closed_at)
            where slot.closed_at >= due.since
                and slot.closed_at > kept_since
                and not exists (
                    select
                    from ops.runs
                    where runs.venue = due.venue
                        and runs."interval" = due."interval"
                        and runs.closed_at = slot.closed_at
                        and runs.trader_id is null
                )
            order by slot.closed_at
        );
        -- Most intervals have no new slot in most minutes; theirs need no lock and no count.
        continue when cardinality(missing) = 0;
        opened_count := opened_count + ops.open_runs(due.venue, due."interval", missing, at);
    end loop;
    return opened_count;
end
$$;
comment on function ops.open_due_slots(timestamptz) is
    'Make the runs of all slots owed by an instant, bounded; returns their count.';
revoke all on function ops.open_due_slots(timestamptz) from public, anon, authenticated;
