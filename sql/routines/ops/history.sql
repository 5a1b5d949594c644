create or replace function ops.history(name text default null, row_limit integer default 50)
returns table (
    started_at timestamptz,
    schedule text,
    status text,
    took_ms double precision,
    error text,
    by_hand boolean,
    request_id bigint,
    http_status integer,
    http_error text
)
language plpgsql
stable
set search_path = ''
as $$
-- Return the newest runs of a schedule, or of all, newest first; PT404 for a name that neither is
-- a schedule nor has a history.
begin
    if (row_limit between 1 and 10000) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected 1 to 10,000 rows, was %s', coalesce(row_limit::text, 'null')
            );
    end if;
    if name is not null
        and not exists (select from ops.timetable where timetable.name = history.name)
        and not exists (select from ops.schedule_runs as runs where runs.schedule = history.name)
    then
        perform ops.refuse_unknown_schedule(name);
    end if;
    return query
    select
        newest.started_at,
        newest.schedule,
        case
            when newest.status = 'running' and not ops.is_alive(newest.pid, newest.started_at)
                then 'failed'
            else newest.status
        end,
        (extract(epoch from newest.ended_at - newest.started_at) * 1000)::double precision,
        newest.error,
        newest.by_hand,
        newest.request_id,
        coalesce(newest.http_status, answer.http_status),
        coalesce(newest.http_error, answer.http_error)
    from (
        (
            select runs.*
            from ops.schedule_runs as runs
            where runs.schedule = history.name
            order by runs.started_at desc
            limit row_limit
        )
        union all
        (
            select runs.*
            from ops.schedule_runs as runs
            where history.name is null
            order by runs.id desc
            limit row_limit
        )
    ) as newest
    left join lateral ops.http_answer(newest.request_id) as answer
        on newest.http_status is null and newest.http_error is null
    order by newest.started_at desc, newest.id desc;
end
$$;
comment on function ops.history(text, integer) is
    'The newest runs of a schedule, or of all: when, how it ended, ms, what was answered.';
revoke all on function ops.history(text, integer) from public, anon, authenticated;
