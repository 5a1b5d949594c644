create or replace function ops.lock_open_incident(id bigint, note text)
returns ops.incidents
language plpgsql
security definer
set search_path = ''
as $$
-- Return an open incident, locked, for somebody who has a note for it; or refuse: PT404 there is
-- none, PT409 it is closed, PT400 the note is too long.
declare
    incident ops.incidents;
begin
    if length(note) > 500 then
        raise sqlstate 'PT400' using
            message = format('expected a note of at most 500 characters, was %s', length(note)),
            hint = 'note';
    end if;
    select incidents.*
    into incident
    from ops.incidents
    where incidents.id = lock_open_incident.id
    for update;
    if incident.id is null then
        raise sqlstate 'PT404' using
            message = format('expected an incident %s, found none', lock_open_incident.id),
            hint = 'closebell incidents list --all';
    end if;
    if incident.closed_at is not null then
        raise sqlstate 'PT409' using
            message = format(
                'expected incident %s to be open, was closed by %s at %s UTC',
                incident.id, incident.closed_by,
                to_char(incident.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
            ),
            hint = 'nothing is left to do';
    end if;
    return incident;
end
$$;
comment on function ops.lock_open_incident(bigint, text) is
    'An open incident, locked; PT404 if there is none, PT409 if it is closed.';
revoke all on function ops.lock_open_incident(bigint, text) from public, anon, authenticated;
