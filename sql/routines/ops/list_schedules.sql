create or replace function ops.list_schedules()
returns table (
    name text,
    timing text,
    timing_text text,
    time_zone text,
    next_runs timestamptz[],
    last_run_at timestamptz,
    last_status text,
    last_http_status integer,
    average_ms double precision,
    fail_streak integer,
    paused_until timestamptz,
    reason text,
    command text,
    description text,
    overlap text,
    last_error text
)
language plpgsql
stable
set search_path = ''
as $$
-- The rows of the view ops.schedules. Each schedule costs a few steps of an index, however long
-- its history is: nothing here looks at more than its last hundred runs.
begin
    return query
    select
        timetable.name,
        timetable.timing,
        ops.timing_text(timetable.timing),
        'UTC',
        ops.next_runs(timetable.timing, greatest(now(), timetable.paused_until), 3),
        newest.started_at,
        newest.status,
        asked.http_status,
        lately.average_ms,
        lately.fail_streak::integer,
        pause.paused_until,
        case when pause.paused_until is not null then timetable.pause_reason end,
        timetable.command,
        timetable.description,
        timetable.overlap,
        newest.error
    from ops.timetable
    cross join lateral (
        select case when timetable.paused_until > now() then timetable.paused_until end
    ) as pause (paused_until)
    left join lateral (
        select
            runs.started_at,
            case when dead.is_dead then 'failed' else runs.status end as status,
            case when dead.is_dead then 'its process is gone' else runs.error end as error
        from (
            select latest.*
            from ops.schedule_runs as latest
            where latest.schedule = timetable.name
            order by latest.started_at desc
            limit 1
        ) as runs
        cross join lateral (
            select runs.status = 'running' and not ops.is_alive(runs.pid, runs.started_at)
        ) as dead (is_dead)
    ) as newest on true
    left join lateral (
        select
            avg(judged.took_ms) filter (where judged.status = 'succeeded') as average_ms,
            count(*) filter (where judged.status = 'failed' and not judged.has_newer_success)
                as fail_streak
        from (
            select
                runs.status,
                (extract(epoch from runs.ended_at - runs.started_at) * 1000)::double precision
                    as took_ms,
                bool_or(runs.status = 'succeeded') over (order by runs.started_at desc)
                    as has_newer_success
            from (
                select latest.status, latest.started_at, latest.ended_at
                from ops.schedule_runs as latest
                where latest.schedule = timetable.name and latest.status <> 'skipped'
                order by latest.started_at desc
                limit 100
            ) as runs
        ) as judged
    ) as lately on true
    left join lateral (
        select coalesce(runs.http_status, answer.http_status) as http_status
        from ops.schedule_runs as runs
        left join lateral ops.http_answer(runs.request_id) as answer on runs.http_status is null
        where runs.schedule = timetable.name and runs.request_id is not null
        order by runs.started_at desc
        limit 1
    ) as asked on true
    order by timetable.name;
end
$$;
comment on function ops.list_schedules() is 'Every schedule with its next and last run.';
revoke all on function ops.list_schedules() from public, anon, authenticated;
