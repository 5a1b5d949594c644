create or replace function ops.watch_slots()
returns integer
language plpgsql
security definer
set search_path = ''
as $$
-- Write one warning for each slot that is missing or unfinished beyond watch_after_s, once.
-- Returns how many were new.
declare
    new_count integer;
begin
    insert into ops.function_logs (source, level, event, run_id, fields)
    select
        'postgres',
        'warn',
        'slot_missed',
        min(slots_missing.run_id),
        jsonb_build_object(
            'slot', format(
                '%s %s %s', slots_missing.venue, slots_missing."interval",
                to_char(slots_missing.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ),
            'status', min(slots_missing.status),
            'runs', count(slots_missing.run_id),
            'error', min(slots_missing.error)
        )
    from ops.slots_missing
    group by slots_missing.venue, slots_missing."interval", slots_missing.closed_at
    order by slots_missing.closed_at
    limit 10000
    on conflict ((fields ->> 'slot')) where event = 'slot_missed' do nothing;
    get diagnostics new_count = row_count;
    return new_count;
end
$$;
comment on function ops.watch_slots() is
    'Scheduled each minute: one warning a slot that is missing or unfinished; returns new ones.';
revoke all on function ops.watch_slots() from public, anon, authenticated;
