create or replace function ops.acknowledge_incident(
    id bigint, note text default '', who text default session_user
)
returns ops.incidents
language plpgsql
security definer
set search_path = ''
as $$
-- Say that somebody takes an incident in hand; the first to do so stays named, later ones only add
-- their note. Returns the incident. PT404, PT409 (closed), PT400 (note too long).
declare
    incident ops.incidents := ops.lock_open_incident(acknowledge_incident.id, note);
begin
    update ops.incidents
    set
        acknowledged_at = coalesce(incident.acknowledged_at, now()),
        acknowledged_by = coalesce(incident.acknowledged_by, left(who, 200)),
        note = ops.add_note(incident.note, left(who, 200), acknowledge_incident.note)
    where incidents.id = incident.id
    returning incidents.* into incident;
    return incident;
end
$$;
comment on function ops.acknowledge_incident(bigint, text, text) is
    'Take an open incident in hand, with a note; returns it. PT404, PT409, PT400.';
revoke all on function ops.acknowledge_incident(bigint, text, text)
from public, anon, authenticated;
