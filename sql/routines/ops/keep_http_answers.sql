create or replace function ops.keep_http_answers(schedule text)
returns void
language sql
set search_path = ''
as $$
    -- Copy what pg_net heard of the last requests of a schedule into its history, before pg_net
    -- forgets it. Called at the start of each run: a handful of rows.
    update ops.schedule_runs
    set
        http_status = answered.http_status,
        http_error = answered.http_error,
        function_ms = answered.function_ms
    from (
        select latest.id, answer.http_status, answer.http_error, answer.function_ms
        from (
            select runs.id, runs.request_id, runs.http_status, runs.http_error
            from ops.schedule_runs as runs
            where runs.schedule = keep_http_answers.schedule and runs.request_id is not null
            order by runs.started_at desc
            limit 10
        ) as latest
        cross join lateral ops.http_answer(latest.request_id) as answer
        where latest.http_status is null
            and latest.http_error is null
            and (answer.http_status is not null or answer.http_error is not null)
    ) as answered
    where schedule_runs.id = answered.id;
$$;
comment on function ops.keep_http_answers(text) is
    'Copy the answers to the last ten requests of a schedule into its history.';
revoke all on function ops.keep_http_answers(text) from public, anon, authenticated;
