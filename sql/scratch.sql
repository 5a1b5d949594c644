-- What a backup's tables stand on and a backup does not hold, in a scratch database that
-- `closebell restore --verify` makes, compares and drops. Never for a database of any use: the
-- real platform is hosted Supabase's, or that of local/sql.

create schema extensions;

-- The columns that ops.add_restored_users writes where they are.
create schema auth;
create table auth.users (
    id uuid primary key,
    email text,
    email_confirmed_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
create function auth.uid() returns uuid language sql stable as $$ select null::uuid $$;
