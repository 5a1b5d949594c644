create or replace function ops.begin_run(
    name text,
    by_hand boolean,
    is_patient boolean,
    out run_id bigint,
    out is_waiting boolean,
    out command text
)
returns record
language plpgsql
set search_path = ''
as $$
-- Write the row of a run that begins, or of one that is skipped (run_id null): its schedule is
-- paused, or the run before is under way. `is_waiting`: ask again in a moment; only for overlap
-- "queue", and while the caller `is_patient`.
-- A run by hand is not held up by a pause; where it would be skipped it is refused (PT409).
-- The schedule is locked meanwhile, so that two that begin at once see each other's rows.
declare
    schedule ops.timetable := ops.lock_schedule(name);
    last record;
    skip_reason text;
begin
    is_waiting := false;
    command := schedule.command;
    perform ops.close_dead_runs();
    perform ops.keep_http_answers(name);
    select runs.started_at, runs.ended_at
    into last
    from ops.schedule_runs as runs
    where runs.schedule = begin_run.name and runs.status <> 'skipped'
    order by runs.started_at desc
    limit 1;
    if not by_hand and schedule.paused_until > clock_timestamp() then
        skip_reason := format('paused: %s', schedule.pause_reason);
    elsif last.started_at is not null and last.ended_at is null then
        is_waiting := schedule.overlap = 'queue' and is_patient;
        skip_reason := format(
            'the run of %s is under way',
            to_char(last.started_at at time zone 'UTC', 'HH24:MI:SS "UTC"')
        );
    elsif not by_hand
        and schedule.overlap = 'skip'
        -- pg_cron keeps a run that is due while its job is busy, and starts it as soon as the job
        -- is free: due within the last run, and not since.
        and (ops.next_runs(schedule.timing, last.started_at, 1))[1] <= last.ended_at
        and (ops.next_runs(schedule.timing, last.ended_at, 1))[1] > clock_timestamp()
    then
        skip_reason := format(
            'it was due while the run of %s was under way',
            to_char(last.started_at at time zone 'UTC', 'HH24:MI:SS "UTC"')
        );
    end if;
    if is_waiting then
        return;
    end if;
    if by_hand then
        if skip_reason is not null then
            raise sqlstate 'PT409' using
                message = format('expected %s to be free, %s', name, skip_reason),
                hint = 'wait for it to end; ops.history shows when';
        end if;
        perform ops.record_act('run_now', 'schedule ' || name);
    end if;
    insert into ops.schedule_runs (schedule, status, ended_at, error, by_hand)
    values (
        name,
        case when skip_reason is null then 'running' else 'skipped' end,
        case when skip_reason is not null then clock_timestamp() end,
        skip_reason,
        begin_run.by_hand
    )
    returning schedule_runs.id into run_id;
    if skip_reason is not null then
        run_id := null;
    end if;
end
$$;
comment on function ops.begin_run(text, boolean, boolean) is
    'Write the row of a run that begins or is skipped; returns its id (null: skipped) and command.';
revoke all on function ops.begin_run(text, boolean, boolean) from public, anon, authenticated;
