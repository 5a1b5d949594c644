create or replace function ops.apply_schedules(page jsonb)
returns integer
language plpgsql
set search_path = ''
as $$
-- Make ops.schedules and, where pg_cron is, cron.job equal to the page: [{"name", "schedule",
-- "command", "description"}]. Jobs that an earlier page had and this one has not are unscheduled;
-- jobs nobody's page ever had are left alone and reported by ops.schedules_drift().
-- Returns how many jobs are on the page. Runs as its caller: jobs belong to whoever schedules.
declare
    has_cron boolean := to_regclass('cron.job') is not null;
    entry record;
begin
    for entry in
        delete from ops.schedules
        where schedules.name not in (
            select item ->> 'name' from jsonb_array_elements(page) as item
        )
        returning schedules.name
    loop
        if has_cron then
            execute
                'select cron.unschedule(jobid) from cron.job '
                'where jobname = $1 and database = current_database()'
            using entry.name;
        end if;
    end loop;
    for entry in
        select item.name, item.schedule, item.command, item.description
        from jsonb_to_recordset(page)
            as item (name text, schedule text, command text, description text)
        order by item.name
    loop
        insert into ops.schedules (name, schedule, command, description)
        values (entry.name, entry.schedule, entry.command, entry.description)
        on conflict (name) do update
        set
            schedule = excluded.schedule,
            command = excluded.command,
            description = excluded.description;
        if has_cron then
            -- Scheduling a name again replaces the job.
            execute 'select cron.schedule($1, $2, $3)'
            using entry.name, entry.schedule, entry.command;
        end if;
    end loop;
    return jsonb_array_length(page);
end
$$;
comment on function ops.apply_schedules(jsonb) is
    'Make cron.job equal to the page sql/schedules.sql; returns the jobs on it, count.';
revoke all on function ops.apply_schedules(jsonb) from public, anon, authenticated;
