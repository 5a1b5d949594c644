create or replace function ops.is_operator()
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    -- Whether the signed-in user of this request is an operator; false without a user.
    select coalesce(
        (
            select profiles.is_admin
            from public.profiles
            where profiles.user_id = (select auth.uid())
        ),
        false
    );
$$;
comment on function ops.is_operator() is
    'Whether the user of this request is an operator (profiles.is_admin).';
revoke all on function ops.is_operator() from public, anon, authenticated;
