create or replace function ops.guard_trader()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Hold what must be true of a trader whoever writes it: quota at insert and at each enabling
-- (so that disabling and enabling again is no way around it), owner, version, since when.
declare
    is_inserted boolean := tg_op = 'INSERT';
    is_started boolean := new.enabled and (is_inserted or not old.enabled);
    is_changed boolean := false;
    is_retimed boolean := false;
begin
    if is_inserted or is_started then
        perform ops.check_trader_quota(new.user_id, is_inserted, is_started);
    end if;
    if is_inserted then
        if new.enabled then
            new.enabled_at := coalesce(new.enabled_at, now());
        end if;
        return new;
    end if;

    if new.user_id <> old.user_id then
        raise sqlstate 'PT400' using
            message = 'expected the owner of a trader to stay, was changed',
            hint = 'user_id';
    end if;
    is_retimed := (new.venue, new."interval", new.cadence)
        is distinct from (old.venue, old."interval", old.cadence);
    is_changed := is_retimed
        or (new.rule, new.universe, new.trigger, new.cooldown_s)
        is distinct from (old.rule, old.universe, old.trigger, old.cooldown_s);
    new.version := old.version + is_changed::integer;
    if is_started or is_changed then
        -- Failures of an older version say nothing about this one.
        new.error_count := 0;
        new.last_error := null;
    end if;
    if is_started then
        new.disabled_reason := null;
    end if;
    -- Closes of another interval or cadence were never owed: without this a tick would catch up on
    -- them.
    if (is_started or (is_retimed and new.enabled))
        and new.enabled_at is not distinct from old.enabled_at
    then
        new.enabled_at := now();
    end if;
    if (new.name, new.description, new.enabled, new.version)
        is distinct from (old.name, old.description, old.enabled, old.version)
    then
        new.updated_at := now();
    end if;
    return new;
end
$$;
comment on function ops.guard_trader() is
    'Trigger before a trader is written: quota, owner, version, enabled_at.';
revoke all on function ops.guard_trader() from public, anon, authenticated, service_role;

create or replace trigger traders_are_guarded
    before insert or update on public.traders
    for each row
    execute function ops.guard_trader();
