create or replace function public.acknowledge_incident(id bigint, note text default '')
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Take an open incident in hand, named as the user is; returns {"acknowledged_at",
-- "acknowledged_by"}. PT403 unless the user is an operator, whatever the id; PT404, PT409, PT400.
declare
    incident ops.incidents;
    who text;
begin
    if not ops.is_operator() then
        raise sqlstate 'PT403' using
            message = 'expected an operator, was another user',
            hint = 'update public.profiles set is_admin = true where user_id = ''…'';';
    end if;
    select coalesce(profiles.display_name, users.email, profiles.user_id::text)
    into who
    from public.profiles
    inner join auth.users as users on users.id = profiles.user_id
    where profiles.user_id = (select auth.uid());
    incident := ops.acknowledge_incident(
        acknowledge_incident.id, coalesce(acknowledge_incident.note, ''), who
    );
    return jsonb_build_object(
        'acknowledged_at', incident.acknowledged_at,
        'acknowledged_by', incident.acknowledged_by
    );
end
$$;
comment on function public.acknowledge_incident(bigint, text) is
    'Operators only. Take an open incident in hand, with a note. PT403, PT404, PT409, PT400.';
revoke all on function public.acknowledge_incident(bigint, text) from public, anon, service_role;
grant execute on function public.acknowledge_incident(bigint, text) to authenticated;
