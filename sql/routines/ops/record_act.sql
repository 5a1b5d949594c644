create or replace function ops.record_act(
    action text, object text, before jsonb default null, after jsonb default null
)
returns void
language sql
security definer
set search_path = ''
as $$
    -- Who: the user of the token if there is one, else whoever opened the session.
    insert into ops.audit (who, via, action, object, before, after)
    values (
        coalesce(
            nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', session_user
        ),
        coalesce(current_setting('application_name', true), ''),
        action,
        object,
        before,
        after
    );
$$;
comment on function ops.record_act(text, text, jsonb, jsonb) is
    'Write down in ops.audit who does what to which object, now.';
revoke all on function ops.record_act(text, text, jsonb, jsonb) from public, anon, authenticated;
