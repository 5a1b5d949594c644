create or replace function ops.lock_tier(user_id uuid)
returns public.tiers
language plpgsql
security definer
set search_path = ''
as $$
-- Return the tier of a user and hold the user's profile until the transaction ends, so that
-- quota checks of one user are taken one after the other. Null for an unknown user.
-- Two statements: after a wait, the second one sees the tier that the other transaction set.
declare
    locked_tier_id text;
    tier public.tiers;
begin
    select profiles.tier_id
    into locked_tier_id
    from public.profiles
    where profiles.user_id = lock_tier.user_id
    for no key update;
    select tiers.*
    into tier
    from public.tiers
    where tiers.id = locked_tier_id;
    return tier;
end
$$;
comment on function ops.lock_tier(uuid) is 'The tier of a user, with the profile locked.';
revoke all on function ops.lock_tier(uuid) from public, anon, authenticated;
