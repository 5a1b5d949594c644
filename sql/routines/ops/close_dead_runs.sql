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
    heard_status text;
    heard_message text;
    heard_at timestamptz;
    dead_count integer := 0;
begin
    for dead in
        select runs.id, runs.pid, runs.started_at
        from ops.schedule_runs as runs
        where runs.status = 'running' and not ops.is_alive(runs.pid, runs.started_at)
        for no key update skip locked
    loop
        if to_regclass('cron.job_run_details') is not null then
            select run.status, run.return_message, run.end_time
            into heard_status, heard_message, heard_at
            from cron.job_run_details as run
            where run.job_pid = dead.pid and run.start_time <= dead.started_at
            order by run.runid desc
            limit 1;
            -- pg_cron has not heard of it yet, or not even written down which process it is: later.
            continue when heard_status in ('starting', 'running', 'connecting', 'sending')
                or (heard_status is null and dead.started_at > now() - interval '10 seconds');
        end if;
        update ops.schedule_runs
        set
            status = 'failed',
            ended_at = coalesce(heard_at, clock_timestamp()),
            error = left(
                coalesce(
                    nullif(btrim(heard_message, E' \n'), ''),
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
