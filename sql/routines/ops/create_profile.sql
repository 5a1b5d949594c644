create or replace function ops.create_profile()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Give a new user a profile. Nothing the user sent is used: tier and rights are not theirs to say.
begin
    insert into public.profiles (user_id, tier_id)
    values (new.id, ops.setting('default_tier'))
    on conflict (user_id) do nothing;
    return null;
end
$$;
comment on function ops.create_profile() is 'Trigger on auth.users: a profile for each new user.';
revoke all on function ops.create_profile() from public, anon, authenticated, service_role;

create or replace trigger users_get_a_profile
    after insert on auth.users
    for each row
    execute function ops.create_profile();
