create or replace function ops.find_request_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
    -- A cause if the same request has been the oldest of the queue for requests_silent_after_s.
    -- The limit must exceed the longest time-out (30 s): a request stays in the queue until all
    -- that left with it are answered.
    select
        'requests_silent',
        'pg_net',
        'error',
        format(
            'The request worker has sent nothing since %s UTC; the functions are called by the'
            ' collector only.',
            to_char(watch_state.oldest_request_since, 'YYYY-MM-DD HH24:MI')
        ),
        jsonb_build_object('oldest_since', watch_state.oldest_request_since)
    from ops.watch_state
    where watch_state.oldest_request_since <= now() - make_interval(
        secs => ops.setting('requests_silent_after_s')::integer
    );
$$;
comment on function ops.find_request_causes() is
    'Causes requests_silent: requests that net.http_request_queue does not get rid of.';
revoke all on function ops.find_request_causes() from public, anon, authenticated;
