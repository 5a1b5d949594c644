create or replace function ops.enforce_tier_quota()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- After a change to a smaller tier (of one user, or of the tier itself): keep the newest traders
-- enabled, disable the oldest, and tell their owner why.
begin
    with tier as (
        select
            profiles.user_id,
            tiers.id,
            tiers.traders_max
        from public.profiles
        inner join public.tiers on tiers.id = profiles.tier_id
        where tiers.traders_max is not null
            and case tg_table_name
                when 'profiles' then profiles.user_id::text = to_jsonb(new) ->> 'user_id'
                else profiles.tier_id = to_jsonb(new) ->> 'id'
            end
    ),
    ranked as (
        select
            traders.id,
            tier.id as tier_id,
            tier.traders_max,
            row_number() over (
                partition by traders.user_id
                order by traders.created_at desc, traders.id desc
            ) as place
        from tier
        inner join public.traders on traders.user_id = tier.user_id and traders.enabled
    ),
    excess as (
        -- In order of id, as emissions lock them: no deadlock.
        select
            traders.id,
            ranked.tier_id,
            ranked.traders_max
        from ranked
        inner join public.traders on traders.id = ranked.id
        where ranked.place > ranked.traders_max
        order by traders.id
        for no key update of traders
    )
    update public.traders
    set
        enabled = false,
        disabled_reason = format(
            'disabled because tier %s allows %s enabled traders; the oldest were disabled',
            excess.tier_id, excess.traders_max
        )
    from excess
    where traders.id = excess.id;
    return null;
end
$$;
comment on function ops.enforce_tier_quota() is
    'Trigger after a tier change: disable the oldest traders over the new quota.';
revoke all on function ops.enforce_tier_quota() from public, anon, authenticated, service_role;

create or replace trigger profiles_tier_limits_traders
    after update of tier_id on public.profiles
    for each row
    when (old.tier_id is distinct from new.tier_id)
    execute function ops.enforce_tier_quota();

create or replace trigger tiers_traders_max_limits_traders
    after update of traders_max on public.tiers
    for each row
    when (old.traders_max is distinct from new.traders_max)
    execute function ops.enforce_tier_quota();
