create or replace function public.store_trader(user_id uuid, trader jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
-- Insert a trader of this user (no "id"), or update one; what is left out stays as it is.
-- Returns the row. The rule must have been checked by the caller: save_trader does.
-- PT400 with the field in the hint, PT403 over a quota, PT404 if the trader is not the user's.
declare
    given jsonb := ops.check_trader_fields(ops.unwrap_json(trader, 'trader', 'object'));
    stored public.traders;
    broken_constraint text;
    field text;
begin
    if not exists (select from public.profiles where profiles.user_id = store_trader.user_id) then
        raise sqlstate 'PT404' using
            message = format('expected a user %s, found none', store_trader.user_id),
            hint = 'user_id';
    end if;
    if given ->> 'id' is null then
        stored := jsonb_populate_record(
            null::public.traders,
            '{"description": "", "cooldown_s": 0, "cadence": "close", "enabled": true}'::jsonb || given
        );
        insert into public.traders
            (user_id, name, description, rule, venue, universe, "interval", trigger, cooldown_s,
                cadence, enabled)
        values
            (store_trader.user_id, stored.name, stored.description, stored.rule, stored.venue,
                stored.universe, stored."interval", stored.trigger, stored.cooldown_s,
                stored.cadence, stored.enabled)
        returning traders.* into stored;
        return to_jsonb(stored);
    end if;

    select traders.*
    into stored
    from public.traders
    where traders.id = (given ->> 'id')::bigint and traders.user_id = store_trader.user_id
    for no key update;
    if stored.id is null then
        raise sqlstate 'PT404' using
            message = format('expected a trader %s of this user, found none', given ->> 'id'),
            hint = 'id';
    end if;
    stored := jsonb_populate_record(stored, given);
    update public.traders
    set
        name = stored.name,
        description = stored.description,
        rule = stored.rule,
        venue = stored.venue,
        universe = stored.universe,
        "interval" = stored."interval",
        trigger = stored.trigger,
        cooldown_s = stored.cooldown_s,
        cadence = stored.cadence,
        enabled = stored.enabled
    where traders.id = stored.id
    returning traders.* into stored;
    return to_jsonb(stored);
exception
    when check_violation then
        -- A constraint is named for its column and what it promises: traders_name_is_….
        get stacked diagnostics broken_constraint = constraint_name;
        select names.name
        into field
        from jsonb_object_keys(given) as names (name)
        where starts_with(broken_constraint, 'traders_' || names.name || '_');
        raise sqlstate 'PT400' using
            message = 'expected that ' || replace(substr(broken_constraint, 9), '_', ' '),
            hint = coalesce(field, 'trader'),
            detail = broken_constraint;
end
$$;
comment on function public.store_trader(uuid, jsonb) is
    'Service only. Insert or update a trader of a user; returns the row. PT400, PT403, PT404.';
revoke all on function public.store_trader(uuid, jsonb) from public, anon, authenticated;
grant execute on function public.store_trader(uuid, jsonb) to service_role;
