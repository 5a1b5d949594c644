create or replace function ops.apply(page jsonb, dry_run boolean default false)
returns table (change text, name text, detail text)
language plpgsql
set search_path = ''
set lock_timeout = '5s'
as $$
-- Make ops.timetable and, where pg_cron is, cron.job equal to a page, and return what that
-- changes (ops.diff). All of it or nothing: one impossible schedule refuses the page.
-- Pauses stay as they are. Jobs that nobody's page has are reported and left alone.
-- Runs as its caller: jobs belong to whoever schedules.
declare
    cron_zone text := (
        select settings.setting from pg_catalog.pg_settings as settings
        where settings.name = 'cron.timezone'
    );
    has_cron boolean := to_regclass('cron.job') is not null;
    entry record;
begin
    if page is null then
        raise sqlstate 'PT400' using
            message = 'expected a page of schedules, was null',
            hint = 'the page is sql/schedules.sql';
    end if;
    if upper(cron_zone) not in ('GMT', 'UTC', 'ETC/UTC', 'ETC/GMT') then
        raise sqlstate 'PT409' using
            message = format('expected pg_cron to run by UTC, cron.timezone was %s', cron_zone),
            hint = 'timings are UTC everywhere; set cron.timezone to GMT and restart Postgres';
    end if;
    -- Two pages at once would mix.
    lock table ops.timetable in share row exclusive mode;
    return query
    select found.change, found.name, found.detail
    from ops.diff(page) as found;
    if dry_run then
        return;
    end if;

    for entry in
        delete from ops.timetable
        where timetable.name not in (
            select item ->> 'name' from jsonb_array_elements(page) as item
        )
        returning timetable.name
    loop
        if has_cron then
            perform cron.unschedule(job.id)
            from ops.cron_jobs() as job
            where job.name = entry.name;
        end if;
    end loop;
    for entry in
        select checked.*, aim.schedule as job_schedule, aim.command as job_command
        from ops.check_page(page) as checked
        cross join lateral ops.wanted_job(checked.name, checked.timing) as aim
        order by checked.name
    loop
        insert into ops.timetable (name, timing, command, description, overlap)
        values (entry.name, entry.timing, entry.command, entry.description, entry.overlap)
        on conflict on constraint timetable_pkey do update
        set
            timing = excluded.timing,
            command = excluded.command,
            description = excluded.description,
            overlap = excluded.overlap
        where (timetable.timing, timetable.command, timetable.description, timetable.overlap)
            is distinct from
            (excluded.timing, excluded.command, excluded.description, excluded.overlap);
        if has_cron and not exists (
            select
            from ops.cron_jobs() as job
            where job.name = entry.name
                and job.is_active
                and job.schedule = entry.job_schedule
                and job.command = entry.job_command
        ) then
            -- Scheduling a name again replaces the job, but leaves a switched-off one off.
            perform cron.schedule(entry.name, entry.job_schedule, entry.job_command);
            perform cron.alter_job(job.id, active => true)
            from ops.cron_jobs() as job
            where job.name = entry.name and not job.is_active;
        end if;
    end loop;
end
$$;
comment on function ops.apply(jsonb, boolean) is
    'Make the timetable and cron.job equal to a page, all or nothing; returns what changes.'
    ' dry_run: change nothing.';
revoke all on function ops.apply(jsonb, boolean) from public, anon, authenticated;
