create or replace function public.list_incidents()
returns table (
    id bigint,
    kind text,
    subject text,
    severity text,
    message text,
    raised_at timestamptz,
    last_seen_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    note text
)
language plpgsql
security definer
set search_path = ''
as $$
-- Return the open incidents to an operator, errors first, the newest first, at most 100; nothing to
-- anybody else. Looks first if the schedule watch is late: then this may be all that looks.
begin
    if not ops.is_operator() then
        return;
    end if;
    perform ops.watch_if_late();
    return query
    select
        incidents.id,
        incidents.kind,
        incidents.subject,
        incidents.severity,
        incidents.message,
        incidents.raised_at,
        incidents.last_seen_at,
        incidents.acknowledged_at,
        incidents.acknowledged_by,
        incidents.note
    from ops.incidents
    where incidents.closed_at is null
    order by incidents.severity, incidents.raised_at desc, incidents.id desc
    limit 100;
end
$$;
comment on function public.list_incidents() is
    'Signed-in users. The open incidents, for an operator; no row for anybody else.';
revoke all on function public.list_incidents() from public, anon, service_role;
grant execute on function public.list_incidents() to authenticated;
