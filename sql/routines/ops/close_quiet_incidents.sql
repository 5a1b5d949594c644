create or replace function ops.close_quiet_incidents()
returns integer
language sql
security definer
set search_path = ''
as $$
    -- Close incidents whose cause was not seen for their quiet_s; returns how many. The pause is
    -- the hysteresis: what comes and goes within it is one incident.
    with closed as (
        update ops.incidents
        set closed_at = now(), closed_by = 'watch'
        where incidents.closed_at is null
            and incidents.last_seen_at < now() - make_interval(secs => incidents.quiet_s)
        returning incidents.id, incidents.kind, incidents.subject
    ),
    logged as (
        insert into ops.function_logs (source, level, event, fields)
        select
            'postgres',
            'info',
            'incident_closed',
            jsonb_build_object(
                'incident_id', closed.id, 'kind', closed.kind, 'subject', closed.subject,
                'closed_by', 'watch'
            )
        from closed
    )
    select count(*)::integer from closed;
$$;
comment on function ops.close_quiet_incidents() is
    'Close incidents whose cause was not seen for a while; returns how many.';
revoke all on function ops.close_quiet_incidents() from public, anon, authenticated;
