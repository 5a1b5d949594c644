create or replace function ops.check_page(page jsonb)
returns table (name text, timing text, command text, description text, overlap text)
language plpgsql
set search_path = ''
as $$
-- Return the schedules of a page, or refuse the whole page naming the schedule that is wrong:
-- [{"name", "timing", "command", "description", "overlap": "skip"}].
-- PT400: no such field, no such time, a command that cannot run. PT409: a name that is there twice.
declare
    entry jsonb;
    wrong text;
    seconds_count integer := 0;
    -- Of pg_cron's workers a schedule of seconds holds one all the time.
    seconds_max integer := (
        select settings.setting::integer / 2 from pg_catalog.pg_settings as settings
        where settings.name = 'cron.max_running_jobs'
    );
begin
    if jsonb_typeof(page) is distinct from 'array'
        or jsonb_array_length(page) not between 1 and 200
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a page of 1 to 200 schedules, was %s',
                case
                    when page is null then 'null'
                    when jsonb_typeof(page) = 'array' then jsonb_array_length(page) || ' of them'
                    else jsonb_typeof(page)
                end
            ),
            hint = 'to stop everything, pause it:'
                ' select ops.pause(name, ''infinity'', ''…'') from ops.schedules;';
    end if;
    for entry in select jsonb_array_elements(page) loop
        if jsonb_typeof(entry) <> 'object' then
            raise sqlstate 'PT400' using
                message = format(
                    'expected a schedule to be an object, was %s', left(entry::text, 100)
                );
        end if;
        name := entry ->> 'name';
        begin
            select coalesce(
                min(
                    case
                        when expected.field is null then format('%s: no such field', given.key)
                        when given.key is null then format('%s: missing', expected.field)
                        else format('%s: expected a text, was %s', given.key, given.value)
                    end
                ), ''
            )
            into wrong
            from (
                values
                    ('name', true), ('timing', true), ('command', true), ('description', true),
                    ('overlap', false)
            ) as expected (field, is_needed)
            full join jsonb_each(entry) as given on given.key = expected.field
            where expected.field is null
                or (given.key is null and expected.is_needed)
                or jsonb_typeof(given.value) <> 'string';
            if wrong <> '' then
                raise sqlstate 'PT400' using
                    message = wrong,
                    hint = 'fields: name, timing, command, description, overlap';
            end if;
            if name !~ '^[a-z][a-z0-9_]{0,62}$' then
                raise sqlstate 'PT400' using message =
                    'expected a name of small letters, digits and _, a letter first';
            end if;
            timing := regexp_replace(btrim(entry ->> 'timing'), '\s+', ' ', 'g');
            if cardinality(ops.next_runs(timing, now(), 1)) = 0 then
                raise sqlstate 'PT400' using
                    message = format('expected a time that comes, "%s" never does', timing);
            end if;
            command := btrim(entry ->> 'command');
            perform ops.check_command(command);
            description := entry ->> 'description';
            overlap := coalesce(entry ->> 'overlap', 'skip');
            if overlap not in ('skip', 'queue') then
                raise sqlstate 'PT400' using
                    message = format('expected overlap skip or queue, was "%s"', overlap);
            end if;
            if length(command) > 1000 or length(description) > 1000 then
                raise sqlstate 'PT400' using
                    message = 'expected command and description of at most 1,000 characters';
            end if;
        exception
            when sqlstate 'PT400' then
                get stacked diagnostics wrong = pg_exception_hint;
                raise sqlstate 'PT400' using
                    message = format(
                        'schedule %s: %s', coalesce(name, left(entry::text, 100)), sqlerrm
                    ),
                    hint = wrong;
        end;
        seconds_count := seconds_count + (ops.every_s(timing) is not null)::integer;
        return next;
    end loop;
    if seconds_count > seconds_max then
        raise sqlstate 'PT400' using
            message = format(
                'expected at most %s schedules of every N s, were %s', seconds_max, seconds_count
            ),
            hint = 'each holds a worker of pg_cron all the time, and half of them'
                ' (cron.max_running_jobs) are for all others';
    end if;
    select string_agg(distinct twice.name, ', ')
    into wrong
    from (
        select item ->> 'name' as name
        from jsonb_array_elements(page) as item
        group by item ->> 'name'
        having count(*) > 1
    ) as twice;
    if wrong is not null then
        raise sqlstate 'PT409' using
            message = format('expected each name once on the page, there twice: %s', wrong),
            hint = 'rename or delete one of them';
    end if;
end
$$;
comment on function ops.check_page(jsonb) is
    'The schedules of a page, or PT400/PT409 naming the one that is wrong.';
revoke all on function ops.check_page(jsonb) from public, anon, authenticated;
