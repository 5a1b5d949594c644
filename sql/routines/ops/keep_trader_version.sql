create or replace function ops.keep_trader_version()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Write down what a version says, at the moment it begins.
begin
    if tg_op = 'UPDATE' and new.version = old.version then
        return null;
    end if;
    insert into public.trader_versions
        (trader_id, version, name, rule, venue, universe, "interval", trigger, cooldown_s, cadence)
    values
        (new.id, new.version, new.name, new.rule, new.venue, new.universe, new."interval",
            new.trigger, new.cooldown_s, new.cadence);
    return null;
end
$$;
comment on function ops.keep_trader_version() is
    'Trigger after a trader is written: its history in trader_versions.';
revoke all on function ops.keep_trader_version() from public, anon, authenticated, service_role;

create or replace trigger traders_keep_versions
    after insert or update on public.traders
    for each row
    execute function ops.keep_trader_version();
