create or replace function ops.close_dead_runs()
returns integer
language plpgsql
set search_path = ''
as $$
-- Write down as failed the runs whose process is gone: a command that commits cannot be watched
-- by an exception block, and a process may be killed. What pg_cron heard of it is the error.
-- Called at the start of each run; returns how many there were.
declare
    dead record;
    details record;
    dead_count integer := 0;
begin
    for dead in
        select runs.id, runs.pid, runs.started_at
        from ops.schedule_runs as runs
        where runs.status = 'running' and not ops.is_alive(runs.pid, runs.started_at)
        for no key update skip locked
    loop
        details := null;
        if to_regclass('cron.job_run_details') is not null then
            select run.status, run.return_message, run.end_time
            into details
            from cron.job_run_details as run
            where run.job_pid = dead.pid
                and run.start_time between dead.started_at - interval '1 minute' and dead.started_at
            order by run.runid desc
            limit 1;
            -- pg_cron has not heard of it yet: later.
            continue when details.status in ('starting', 'running', 'connecting', 'sending');
        end if;
        update ops.schedule_runs
        set
            status = 'failed',
            ended_at = coalesce(details.end_time, clock_timestamp()),
            error = left(
                coalesce(
                    nullif(btrim(details.return_message, E' \n'), ''),
                    'its process ended without a word'
                ), 2000
            )
        where schedule_runs.id = dead.id;
        dead_count := dead_count + 1;
    end loop;
    return dead_count;
end
$$;
comment on function ops.close_dead_runs() is
    'Write down as failed the runs whose process is gone; returns their count.';
revoke all on function ops.close_dead_runs() from public, anon, authenticated;
