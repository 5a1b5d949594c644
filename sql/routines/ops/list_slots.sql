create or replace function ops.list_slots(
    "interval" text, since timestamptz, only_unwell boolean, slots_max integer
)
returns setof ops.slots
language sql
stable
security definer
set search_path = ''
as $$
    -- Newest slots first. Unwell: not finished, made late, or finished more than 90 s after.
    select slots.*
    from ops.slots
    where (list_slots."interval" is null or slots."interval" = list_slots."interval")
        and slots.closed_at >= since
        and (
            not only_unwell
            or slots.status <> 'finished'
            or slots.origin <> 'live'
            or slots.finished_at > slots.closed_at + interval '90 seconds'
        )
    order by slots.closed_at desc, ops.interval_s(slots."interval")
    limit slots_max;
$$;
comment on function ops.list_slots(text, timestamptz, boolean, integer) is
    'Slots of an interval (null: all) since a time, newest first; or only those that were unwell.';
revoke all on function ops.list_slots(text, timestamptz, boolean, integer)
from public, anon, authenticated;
