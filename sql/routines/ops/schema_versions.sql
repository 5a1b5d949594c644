create or replace function ops.schema_versions()
returns text[]
language plpgsql
stable
set search_path = ''
as $$
-- The versions of the migrations that made this schema, in order; none in a scratch database.
declare
    versions text[];
begin
    if to_regclass('supabase_migrations.schema_migrations') is null then
        return array[]::text[];
    end if;
    execute
        'select array_agg(version order by version) from supabase_migrations.schema_migrations'
    into versions;
    return coalesce(versions, array[]::text[]);
end
$$;
comment on function ops.schema_versions() is 'Versions of the applied migrations, in order.';
revoke all on function ops.schema_versions() from public, anon, authenticated;
