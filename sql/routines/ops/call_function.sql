create or replace function ops.call_function(name text, body jsonb)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
-- Post a signed body to a function and return the request's id (net._http_response).
-- Fire and forget: the call leaves when the transaction commits, and nothing here waits for it.
-- The signature covers `body::text`, which is byte for byte what is sent.
declare
    base_url text := ops.setting('functions_url');
    stamp text := floor(extract(epoch from clock_timestamp()))::bigint::text;
    signature text;
begin
    if base_url = '' then
        raise sqlstate 'PT500' using
            message = 'expected functions_url to be set, was empty',
            hint = 'update ops.settings set value = ''…'' where name = ''functions_url'';';
    end if;
    if to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null then
        raise sqlstate 'PT500' using
            message = 'expected net.http_post, found none',
            hint = 'create extension pg_net;';
    end if;
    signature := encode(
        extensions.hmac(stamp || '.' || body::text, ops.secret('function_secret'), 'sha256'), 'hex'
    );
    return net.http_post(
        url := base_url || '/' || name,
        body := body,
        headers := jsonb_build_object(
            'Content-Type', 'application/json',
            'x-closebell-timestamp', stamp,
            'x-closebell-signature', signature
        ),
        timeout_milliseconds := 30000
    );
end
$$;
comment on function ops.call_function(text, jsonb) is
    'Post a signed JSON body to functions_url/name through pg_net; returns its request id.';
revoke all on function ops.call_function(text, jsonb) from public, anon, authenticated;
