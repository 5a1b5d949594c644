create or replace function ops.note_replies(at timestamptz default now())
returns integer
language plpgsql
security definer
set search_path = ''
as $$
-- Keep what was answered to the calls of earlier ticks: the request worker forgets it after hours,
-- or at a crash. Returns how many answers were new.
declare
    noted_count integer := 0;
begin
    if to_regclass('net._http_response') is null then
        return 0;
    end if;
    update ops.ticks
    set
        replied_at = answers.created,
        http_status = answers.status_code,
        -- The end of the function's own answer; an answer of somebody else has none.
        function_ms = substring(answers.content from '"ms":([0-9]{1,7}(?:\.[0-9]{1,6})?)}$')::float8,
        reply_error = left(answers.error_msg, 2000)
    from net._http_response as answers
    where answers.id = ticks.request_id
        -- The worker's table has no index but this one.
        and answers.created > at - interval '10 minutes'
        -- After a crash the worker counts from 1 again.
        and answers.created >= ticks.fired_at - interval '5 seconds'
        and ticks.request_id is not null
        and ticks.replied_at is null
        and ticks.fired_at > at - interval '10 minutes';
    get diagnostics noted_count = row_count;
    return noted_count;
exception
    -- What is only for reading must not keep a tick from its work.
    when others then
        perform ops.write_log(
            'warn', 'replies_unread', jsonb_build_object('message', sqlerrm, 'code', sqlstate)
        );
        return 0;
end
$$;
comment on function ops.note_replies(timestamptz) is
    'Keep the answers to the calls of earlier ticks in ops.ticks; returns how many were new.';
revoke all on function ops.note_replies(timestamptz) from public, anon, authenticated;
