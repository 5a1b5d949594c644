create or replace function ops.end_run(run_id bigint, error text, answer jsonb)
returns void
language sql
set search_path = ''
as $$
    -- Write the end of a run: failed if there is an error. An answer of more than 16,000 bytes is
    -- not kept. A request that it sent is named by a "request_id" anywhere in its answer, as
    -- ops.tick() returns it.
    update ops.schedule_runs
    set
        status = case when end_run.error is null then 'succeeded' else 'failed' end,
        ended_at = clock_timestamp(),
        error = left(end_run.error, 2000),
        answer = case when pg_column_size(end_run.answer) <= 16000 then end_run.answer end,
        request_id = jsonb_path_query_first(
            end_run.answer, '$.**.request_id ? (@.type() == "number")'
        )::bigint
    where schedule_runs.id = end_run.run_id;
$$;
comment on function ops.end_run(bigint, text, jsonb) is
    'Write the end of a run: succeeded, or failed with the error; and the request it sent.';
revoke all on function ops.end_run(bigint, text, jsonb) from public, anon, authenticated;
