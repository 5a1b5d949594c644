create or replace function ops.schedules_drift()
returns table (name text, problem text)
language plpgsql
stable
security definer
set search_path = ''
as $$
-- Compare cron.job with the page sql/schedules.sql: missing, different, paused, unknown jobs.
-- Empty when they agree. Without pg_cron every job of the page is missing.
begin
    if to_regclass('cron.job') is null then
        return query
        select schedules.name, 'missing: pg_cron is not installed in this database'
        from ops.schedules;
        return;
    end if;
    return query execute $query$
        select
            coalesce(page.name, job.jobname, 'job ' || job.jobid),
            case
                when job.jobid is null then 'missing'
                when page.name is null then 'not on the page: ' || job.command
                when not job.active then 'paused'
                else format('differs: %s, %s', job.schedule, job.command)
            end
        from ops.schedules as page
        full join (select * from cron.job where database = current_database()) as job
            on job.jobname = page.name
        where job.jobid is null
            or page.name is null
            or not job.active
            or (job.schedule, job.command) is distinct from (page.schedule, page.command)
        order by 1
    $query$;
end
$$;
comment on function ops.schedules_drift() is
    'Jobs in cron.job that differ from sql/schedules.sql; empty when they agree.';
revoke all on function ops.schedules_drift() from public, anon, authenticated;
