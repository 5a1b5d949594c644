create or replace function ops.cron_jobs()
returns table (id bigint, name text, schedule text, command text, is_active boolean)
language plpgsql
stable
set search_path = ''
as $$
-- Return the jobs pg_cron runs in this database; none where it is not installed.
begin
    if to_regclass('cron.job') is null then
        return;
    end if;
    return query
    select
        job.jobid,
        coalesce(job.jobname::text, 'job ' || job.jobid),
        job.schedule::text,
        job.command::text,
        job.active
    from cron.job
    where job.database = current_database();
end
$$;
comment on function ops.cron_jobs() is 'Jobs of pg_cron in this database; none without pg_cron.';
revoke all on function ops.cron_jobs() from public, anon, authenticated;
