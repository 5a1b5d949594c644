create or replace function ops.diff(page jsonb default null)
returns table (change text, name text, detail text)
language plpgsql
set search_path = ''
as $$
-- What applying a page would do, and what pg_cron runs that is on no page; empty if nothing.
-- Without a page: the timetable as it was applied last against the jobs of pg_cron.
-- `change`: add, change, remove, or unmanaged (a job on nobody's page; it is left alone).
declare
    current_page jsonb := (
        select jsonb_agg(
            jsonb_build_object(
                'name', timetable.name,
                'timing', timetable.timing,
                'command', timetable.command,
                'description', timetable.description,
                'overlap', timetable.overlap
            )
        )
        from ops.timetable
    );
    wanted_page jsonb := current_page;
begin
    if page is not null then
        select jsonb_agg(to_jsonb(checked))
        into wanted_page
        from ops.check_page(page) as checked;
    end if;
    return query
    with wanted as (
        select item ->> 'name' as name, item as fields
        from jsonb_array_elements(wanted_page) as item
    ),
    known as (
        select item ->> 'name' as name, item as fields
        from jsonb_array_elements(current_page) as item
    ),
    compared as (
        select
            wanted.name,
            known.name is null as is_new,
            (
                select string_agg(
                    format('%s: %s → %s', field.key, known.fields ->> field.key, field.value),
                    '; ' order by field.key
                )
                from jsonb_each_text(wanted.fields) as field
                where field.value <> known.fields ->> field.key
            ) as field_changes,
            case
                when to_regclass('cron.job') is null
                    then 'cron.job: pg_cron is not installed in this database'
                when job.id is null then 'cron.job: missing'
                when (job.schedule, job.command) is distinct from (aim.schedule, aim.command)
                    then format('cron.job: %s %s', job.schedule, job.command)
                when not job.is_active then 'cron.job: switched off'
            end as job_change,
            format(
                '%s: %s', ops.timing_text(wanted.fields ->> 'timing'), wanted.fields ->> 'command'
            ) as words
        from wanted
        left join known on known.name = wanted.name
        left join ops.cron_jobs() as job on job.name = wanted.name
        cross join lateral ops.wanted_job(wanted.name, wanted.fields ->> 'timing') as aim
    )
    select 'add', compared.name, compared.words
    from compared
    where compared.is_new
    union all
    select 'change', compared.name, concat_ws('; ', compared.field_changes, compared.job_change)
    from compared
    where not compared.is_new
        and (compared.field_changes is not null or compared.job_change is not null)
    union all
    select 'remove', known.name, known.fields ->> 'command'
    from known
    where known.name not in (select wanted.name from wanted)
    union all
    select 'unmanaged', job.name, format('%s %s', job.schedule, job.command)
    from ops.cron_jobs() as job
    where job.name not in (select wanted.name from wanted union all select known.name from known)
    order by 1, 2;
end
$$;
comment on function ops.diff(jsonb) is
    'What applying a page would change, and jobs of pg_cron on no page; without a page: what'
    ' differs from the page applied last. Empty when all is as it should be.';
revoke all on function ops.diff(jsonb) from public, anon, authenticated;
