create or replace function ops.check_trader_quota(
    user_id uuid, is_inserted boolean, is_enabled boolean
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Refuse (PT403) one more stored or one more enabled trader over the quota of the user's tier.
-- Rows are counted under a lock: there is no counter that could be talked out of step.
declare
    tier public.tiers := ops.lock_tier(check_trader_quota.user_id);
    stored_max integer := tier.traders_max * ops.setting('stored_traders_per_enabled')::integer;
    stored_count integer;
    enabled_count integer;
begin
    if tier.traders_max is null then
        return;
    end if;
    select count(*), count(*) filter (where traders.enabled)
    into stored_count, enabled_count
    from public.traders
    where traders.user_id = check_trader_quota.user_id;
    if is_enabled and enabled_count >= tier.traders_max then
        raise sqlstate 'PT403' using
            message = format(
                'expected at most %s enabled traders in tier %s, was %s already',
                tier.traders_max, tier.id, enabled_count
            ),
            hint = 'disable or delete a trader first, or change to a larger tier',
            detail = 'traders_max';
    end if;
    if is_inserted and stored_count >= stored_max then
        raise sqlstate 'PT403' using
            message = format(
                'expected at most %s stored traders in tier %s, was %s already',
                stored_max, tier.id, stored_count
            ),
            hint = 'delete a trader first, or change to a larger tier',
            detail = 'stored_traders_per_enabled';
    end if;
end
$$;
comment on function ops.check_trader_quota(uuid, boolean, boolean) is
    'Refuse with PT403 what would exceed the quota of the user''s tier.';
revoke all on function ops.check_trader_quota(uuid, boolean, boolean)
from public, anon, authenticated;
