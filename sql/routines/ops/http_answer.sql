create or replace function ops.http_answer(
    request_id bigint,
    out http_status integer,
    out http_error text,
    out function_ms double precision
)
returns record
language plpgsql
stable
set search_path = ''
as $$
-- Return what pg_net heard of a request; nulls if it has not (yet), or has forgotten: answers are
-- kept for some hours only.
begin
    if request_id is null or to_regclass('net._http_response') is null then
        return;
    end if;
    select
        response.status_code,
        left(
            case
                when response.timed_out then 'no answer in time'
                when response.status_code is null then coalesce(response.error_msg, 'no answer')
            end, 500
        ),
        -- The end of a function's own answer; an answer of somebody else has none.
        substring(
            response.content from '"ms":([0-9]{1,7}(?:\.[0-9]{1,6})?)}$'
        )::double precision
    into http_status, http_error, function_ms
    from net._http_response as response
    where response.id = request_id
    order by response.created desc
    limit 1;
end
$$;
comment on function ops.http_answer(bigint) is
    'HTTP status of the answer to a request of pg_net and the ms it tells, or why there is none.';
revoke all on function ops.http_answer(bigint) from public, anon, authenticated;
