create or replace function ops.log_schedule_failure()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- A scheduled run that failed is a line of the log, too, in the transaction that says so.
declare
    room record := ops.log_room();
begin
    if room.lines_count >= room.lines_max or room.bytes_count >= room.bytes_max then
        perform ops.note_full_day(1);
        return null;
    end if;
    insert into ops.function_logs (source, level, event, fields)
    values (
        'schedules', 'error', 'schedule_failed',
        jsonb_strip_nulls(jsonb_build_object(
            'schedule', new.schedule,
            'started_at', new.started_at,
            'error', left(new.error, 2000),
            'request_id', new.request_id,
            'http_status', new.http_status
        ))
    );
    return null;
end
$$;
comment on function ops.log_schedule_failure() is
    'Trigger on ops.schedule_runs: one line for each run that failed.';
revoke all on function ops.log_schedule_failure() from public, anon, authenticated, service_role;

-- The conditions are judged without a call: a run that went well costs nothing.
create or replace trigger failure_is_logged_at_insert
    after insert on ops.schedule_runs
    for each row when (new.status = 'failed')
    execute function ops.log_schedule_failure();
create or replace trigger failure_is_logged_at_update
    after update of status on ops.schedule_runs
    for each row when (new.status = 'failed' and old.status is distinct from 'failed')
    execute function ops.log_schedule_failure();
