-- Schema auth: what migrations may reference before the auth server has ever run.
-- The server (local/lite.mjs) connects as closebell_lite, owns this schema and adds its other
-- tables (sessions, refresh tokens, identities) when it starts. Columns of auth.users are those of
-- the hosted auth schema that the server knows; tests/integration/test_lite.py compares the lists.
-- Idempotent; nothing happens where the real auth server has migrated this database.

do $stand_in$
begin
    if to_regclass('auth.schema_migrations') is not null then
        return;
    end if;

    create schema if not exists auth;
    alter schema auth owner to closebell_lite;
    grant usage on schema auth to anon, authenticated, service_role;

    create table if not exists auth.users (
        id uuid primary key,
        aud varchar(255) default 'authenticated',
        role varchar(255) default 'authenticated',
        email varchar(255),
        encrypted_password varchar(255),
        phone text unique,
        email_confirmed_at timestamptz,
        phone_confirmed_at timestamptz,
        confirmed_at timestamptz
            generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
        invited_at timestamptz,
        confirmation_token varchar(255),
        confirmation_sent_at timestamptz,
        recovery_token varchar(255),
        recovery_sent_at timestamptz,
        email_change varchar(255),
        email_change_token_new varchar(255),
        email_change_token_current varchar(255),
        email_change_sent_at timestamptz,
        email_change_confirm_status smallint default 0
            constraint users_email_change_confirm_status_is_known
            check (email_change_confirm_status between 0 and 2),
        phone_change text,
        phone_change_token varchar(255),
        phone_change_sent_at timestamptz,
        reauthentication_token varchar(255),
        reauthentication_sent_at timestamptz,
        raw_app_meta_data jsonb default '{}'::jsonb,
        raw_user_meta_data jsonb default '{}'::jsonb,
        banned_until timestamptz,
        deleted_at timestamptz,
        is_sso_user boolean not null default false,
        is_anonymous boolean not null default false,
        last_sign_in_at timestamptz,
        created_at timestamptz default now(),
        updated_at timestamptz default now()
    );
    alter table auth.users owner to closebell_lite;
    create unique index if not exists users_email_partial_key
        on auth.users (email)
        where is_sso_user = false;

    -- Claims arrive in one JSON setting (PostgREST since 10) and, from older servers, one
    -- setting a claim. Both are read, as hosted does.
    create or replace function auth.jwt() returns jsonb
    language sql
    stable
    as $body$
        select coalesce(
            nullif(pg_catalog.current_setting('request.jwt.claims', true), ''),
            '{}'
        )::jsonb;
    $body$;

    create or replace function auth.uid() returns uuid
    language sql
    stable
    as $body$
        select nullif(
            coalesce(
                nullif(pg_catalog.current_setting('request.jwt.claim.sub', true), ''),
                nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
            ),
            ''
        )::uuid;
    $body$;

    create or replace function auth.role() returns text
    language sql
    stable
    as $body$
        select coalesce(
            nullif(pg_catalog.current_setting('request.jwt.claim.role', true), ''),
            nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
        );
    $body$;

    create or replace function auth.email() returns text
    language sql
    stable
    as $body$
        select coalesce(
            nullif(pg_catalog.current_setting('request.jwt.claim.email', true), ''),
            nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
        );
    $body$;

    grant execute on function auth.jwt(), auth.uid(), auth.role(), auth.email()
        to anon, authenticated, service_role;
end
$stand_in$;
