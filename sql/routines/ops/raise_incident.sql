create or replace function ops.raise_incident(
    kind text,
    subject text,
    severity text,
    message text,
    details jsonb default '{}',
    quiet_s integer default null
)
returns bigint
language sql
security definer
set search_path = ''
as $$
    -- Say that something is abnormal now: a new incident with a line in the log, or the open one
    -- of this kind and subject brought up to date. Returns its id. It closes by itself when it was
    -- not raised again for quiet_s (null: incident_quiet_s), so say it again while it lasts.
    with raised as (
        insert into ops.incidents as incident (kind, subject, severity, message, details, quiet_s)
        values (
            raise_incident.kind,
            raise_incident.subject,
            raise_incident.severity,
            left(raise_incident.message, 1000),
            raise_incident.details,
            coalesce(raise_incident.quiet_s, ops.setting('incident_quiet_s')::integer)
        )
        on conflict (kind, subject) where closed_at is null do update
        set
            severity = excluded.severity,
            message = excluded.message,
            details = excluded.details,
            quiet_s = excluded.quiet_s,
            last_seen_at = now()
        -- A row that was only updated has been locked: xmax tells the two apart.
        returning incident.*, incident.xmax = 0 as is_new
    ),
    logged as (
        insert into ops.function_logs (source, level, event, fields)
        select
            'postgres',
            raised.severity,
            'incident_raised',
            jsonb_build_object(
                'incident_id', raised.id, 'kind', raised.kind, 'subject', raised.subject,
                'message', raised.message
            )
        from raised
        where raised.is_new
    )
    select raised.id from raised;
$$;
comment on function ops.raise_incident(text, text, text, text, jsonb, integer) is
    'Raise an incident, or bring the open one of its kind and subject up to date; returns its id.';
revoke all on function ops.raise_incident(text, text, text, text, jsonb, integer)
from public, anon, authenticated;
