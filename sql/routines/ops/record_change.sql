create or replace function ops.record_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Write a changed schedule or setting into ops.audit; an update that changes nothing is no change.
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    if before is not distinct from after then
        return null;
    end if;
    perform ops.record_act(
        case
            when before is null then 'add'
            when after is null then 'remove'
            when before -> 'paused_until' is not distinct from after -> 'paused_until'
                and before -> 'pause_reason' is not distinct from after -> 'pause_reason'
                then 'change'
            when after ->> 'paused_until' is null then 'resume'
            else 'pause'
        end,
        format(
            '%s %s',
            case tg_table_name when 'timetable' then 'schedule' else 'setting' end,
            coalesce(after, before) ->> 'name'
        ),
        before,
        after
    );
    return null;
end
$$;
comment on function ops.record_change() is
    'Trigger after a change of ops.timetable or ops.settings: a row of ops.audit.';
revoke all on function ops.record_change() from public, anon, authenticated;
