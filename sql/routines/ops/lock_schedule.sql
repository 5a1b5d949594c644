create or replace function ops.lock_schedule(name text)
returns ops.timetable
language plpgsql
set search_path = ''
as $$
-- Return a schedule, locked until the transaction ends, or refuse the name (PT404).
declare
    found_schedule ops.timetable;
begin
    select timetable.*
    into found_schedule
    from ops.timetable
    where timetable.name = lock_schedule.name
    for no key update;
    if not found then
        perform ops.refuse_unknown_schedule(name);
    end if;
    return found_schedule;
end
$$;
comment on function ops.lock_schedule(text) is 'A schedule, locked; PT404 for an unknown name.';
revoke all on function ops.lock_schedule(text) from public, anon, authenticated;
