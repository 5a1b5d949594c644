create or replace function ops.ping_deadman()
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
-- Call the secret deadman_url unless an error incident is open; at most once in a minute of the
-- clock. Whoever waits at the other end raises the alarm when calls stop, also when all of this is
-- down. Returns whether it was called. The URL holds a token: it is kept as secrets are, never
-- written to a log, and of an error only its code is, because its text might quote the URL.
declare
    url text;
begin
    begin
        url := ops.secret('deadman_url');
    exception
        when sqlstate 'PT500' then
            return false;  -- None was stored: nobody waits.
    end;
    if exists (
        select
        from ops.incidents
        where incidents.closed_at is null and incidents.severity = 'error'
    ) then
        return false;
    end if;
    update ops.watch_state
    set pinged_at = now()
    where watch_state.pinged_at is null
        or date_trunc('minute', watch_state.pinged_at) < date_trunc('minute', now());
    if not found then
        return false;
    end if;
    perform net.http_get(url := url, timeout_milliseconds := 10000);
    return true;
exception
    when others then
        perform ops.write_log(
            'error', 'deadman_failed', jsonb_build_object('code', sqlstate)
        );
        return false;
end
$$;
comment on function ops.ping_deadman() is
    'Call deadman_url while no error incident is open, once a minute; returns whether it did.';
revoke all on function ops.ping_deadman() from public, anon, authenticated;
