create or replace function ops.finish_restore(manifest jsonb, kept jsonb)
returns void
language plpgsql
set search_path = ''
as $$
-- The last act of a restore, in its transaction: every table must be what the manifest says, or
-- PT409 and nothing has happened. Then what must not go back in time: newer users, addresses, the
-- revision that functions compare, and ids, which are never given twice.
declare
    wrong text;
begin
    select string_agg(coalesce(given.key, listed.name), ', ' order by given.key, listed.name)
    into wrong
    from jsonb_each(manifest -> 'tables') as given
    full join (
        select tables.name
        from ops.list_backup_tables() as tables
        where tables.excluded_because is null
    ) as listed on listed.name = given.key
    where given.key is null
        or listed.name is null
        or ops.table_checksum(listed.name) is distinct from given.value;
    if wrong is not null then
        raise sqlstate 'PT409' using
            message = 'expected the counts and checksums of the manifest, other rows are in '
                || wrong,
            hint = 'nothing was changed; take another backup file';
    end if;
    if exists (
        select
        from public.profiles
        where not exists (select from auth.users where users.id = profiles.user_id)
    ) then
        raise sqlstate 'PT409' using
            message = 'expected a user in auth.users for each profile, some are missing',
            hint = 'nothing was changed; take another backup file';
    end if;
    -- Who has signed up since the backup was made is a user without a profile.
    insert into public.profiles (user_id, tier_id)
    select users.id, ops.setting('default_tier')
    from auth.users
    on conflict (user_id) do nothing;
    update ops.settings
    set value = kept -> 'addresses' ->> settings.name
    where kept -> 'addresses' ? settings.name;
    update ops.traders_revision
    set
        revision = greatest(
            traders_revision.revision, coalesce((kept ->> 'traders_revision')::bigint, 0)
        ) + 1,
        changed_at = now();
    -- A sequence does not take part in the transaction: it is only ever raised.
    perform setval(
        format('%I.%I', schemaname, sequencename)::regclass,
        greatest(
            last_value,
            (manifest -> 'sequences' ->> format('%I.%I', schemaname, sequencename))::bigint
        )
    )
    from pg_catalog.pg_sequences
    where manifest -> 'sequences' ? format('%I.%I', schemaname, sequencename);
end
$$;
comment on function ops.finish_restore(jsonb, jsonb) is
    'Compare every restored table with the manifest, or PT409; then set what never goes back.';
revoke all on function ops.finish_restore(jsonb, jsonb) from public, anon, authenticated;
