create or replace function ops.close_incident(
    id bigint, note text default '', who text default session_user
)
returns ops.incidents
language plpgsql
security definer
set search_path = ''
as $$
-- Close an incident by hand. If its cause is still there the next look raises a new one; only the
-- slots that a slot_missing named are settled. Returns the incident. PT404, PT409, PT400.
declare
    incident ops.incidents := ops.lock_open_incident(close_incident.id, note);
begin
    update ops.incidents
    set
        closed_at = now(),
        closed_by = left(who, 200),
        note = ops.add_note(incident.note, left(who, 200), close_incident.note)
    where incidents.id = incident.id
    returning incidents.* into incident;
    perform ops.write_log(
        'info', 'incident_closed',
        jsonb_build_object(
            'incident_id', incident.id, 'kind', incident.kind, 'subject', incident.subject,
            'closed_by', incident.closed_by
        )
    );
    return incident;
end
$$;
comment on function ops.close_incident(bigint, text, text) is
    'Close an open incident by hand, with a note; returns it. PT404, PT409, PT400.';
revoke all on function ops.close_incident(bigint, text, text) from public, anon, authenticated;
