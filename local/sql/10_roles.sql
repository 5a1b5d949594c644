-- Roles and schemas that every Supabase project has before the first migration.
-- Applied as superuser at each start of the local cloud; a second run changes nothing.
-- Hosted Supabase owns all of this already: never apply the file there.

do $roles$
begin
    if to_regrole('anon') is null then
        create role anon nologin noinherit;
    end if;
    if to_regrole('authenticated') is null then
        create role authenticated nologin noinherit;
    end if;
    if to_regrole('service_role') is null then
        create role service_role nologin noinherit bypassrls;
    end if;
    -- The REST and auth server logs in as this role and becomes one of the three per request.
    -- It is no superuser: as one, the server would grant everything on every schema anew, and
    -- revoked privileges would come back. It inherits, because the server reads the catalogue
    -- of tables as itself. The supervisor sets its password after this file.
    if to_regrole('closebell_lite') is null then
        create role closebell_lite login inherit nosuperuser nocreatedb nocreaterole;
    end if;
end
$roles$;

grant anon, authenticated, service_role to closebell_lite;
grant anon, authenticated, service_role to current_user;

-- The hosted statement limits (3 s anonymous, 8 s signed in and REST as a whole).
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role closebell_lite set statement_timeout = '8s';

-- What a project grants by default: whatever a migration creates in public is reachable by the
-- API roles until the migration revokes it. A missing revoke must show here, not only hosted.
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public
    grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public
    grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public
    grant all on routines to anon, authenticated, service_role;

create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;
create extension if not exists pgcrypto with schema extensions;
do $cron$
begin
    -- The library must be preloaded; without it the extension cannot be created at all.
    if current_setting('shared_preload_libraries') ~ '\mpg_cron\M'
        and current_setting('cron.database_name', true) = current_database()
    then
        create extension if not exists pg_cron with schema pg_catalog;
    end if;
end
$cron$;
