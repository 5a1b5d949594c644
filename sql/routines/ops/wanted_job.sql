create or replace function ops.wanted_job(
    name text, timing text, out schedule text, out command text
)
returns record
language sql
immutable
set search_path = ''
as $$
    -- What pg_cron has to run for a schedule. "every N s" is a job of every minute, too: the run
    -- makes its own marks within the minute, which works with any version of pg_cron.
    select
        case when ops.every_s(timing) is null then timing else '* * * * *' end,
        format('call ops.run_schedule(%L)', name);
$$;
comment on function ops.wanted_job(text, text) is
    'Cron expression and command of the job that pg_cron has to run for a schedule.';
revoke all on function ops.wanted_job(text, text) from public, anon, authenticated;
