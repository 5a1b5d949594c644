create or replace function ops.cron_started_at()
returns timestamptz
language plpgsql
stable
security definer
set search_path = ''
as $$
-- Return when pg_cron started a job last, by its own records; null where it keeps none.
-- The newest rows by id: the table may hold millions and has no other index.
declare
    started_at timestamptz;
begin
    if to_regclass('cron.job_run_details') is null then
        return null;
    end if;
    execute
        'select max(newest.start_time) from ('
        'select start_time from cron.job_run_details order by runid desc limit 20) as newest'
    into started_at;
    return started_at;
end
$$;
comment on function ops.cron_started_at() is
    'When pg_cron started a job last, by its own records; null where it keeps none.';
revoke all on function ops.cron_started_at() from public, anon, authenticated;
