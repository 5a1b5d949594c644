create or replace function ops.resume(name text)
returns text
language plpgsql
set search_path = ''
as $$
-- End the pause of a schedule, and say so; nothing changes if there was none. PT404: unknown name.
-- What was missed is not run by this; the next run of `tick` finds the slots that are owed.
declare
    schedule ops.timetable := ops.lock_schedule(name);
begin
    update ops.timetable
    set paused_until = null, pause_reason = null
    where timetable.name = resume.name
        and timetable.paused_until is not null;
    return format(
        '%s %s; its next run is at %s', name,
        case when schedule.paused_until > now() then 'goes on' else 'was not paused' end,
        to_char(
            (ops.next_runs(schedule.timing, now(), 1))[1] at time zone 'UTC',
            'YYYY-MM-DD HH24:MI:SS "UTC"'
        )
    );
end
$$;
comment on function ops.resume(text) is
    'End the pause of a schedule; returns a sentence with its next run.';
revoke all on function ops.resume(text) from public, anon, authenticated;
