create or replace function ops.add_restored_users(users jsonb)
returns integer
language plpgsql
set search_path = ''
as $$
-- Add the users of a backup that the auth service does not have, under their old ids and without
-- a password: they sign in by "forgot password". Returns their count.
-- [{"id", "email", "email_confirmed_at", "created_at"}]. The auth schema is the platform's: only
-- columns it has are written. Its server reads some texts that must not be null.
-- PT409 where an account of the same address has another id.
declare
    fields text;
    added_count integer;
    taken text;
begin
    select string_agg(quote_literal(accounts.email), ', ' order by accounts.email)
    into taken
    from auth.users as accounts
    inner join jsonb_to_recordset(add_restored_users.users) as given (id uuid, email text)
        on given.email = accounts.email and given.id <> accounts.id;
    if taken is not null then
        raise sqlstate 'PT409' using
            message = 'expected the users of the backup under their own ids,'
                ' other accounts have the addresses ' || taken,
            hint = format(
                'if these accounts may go, in the target: delete from auth.users where email in (%s)',
                taken
            );
    end if;
    select string_agg(quote_ident(attributes.attname), ', ' order by attributes.attname)
    into fields
    from pg_catalog.pg_attribute as attributes
    where attributes.attrelid = to_regclass('auth.users')
        and attributes.attnum > 0
        and not attributes.attisdropped
        and attributes.attname in (
            'id', 'email', 'email_confirmed_at', 'created_at', 'updated_at', 'instance_id', 'aud',
            'role', 'raw_app_meta_data', 'raw_user_meta_data', 'confirmation_token',
            'recovery_token', 'email_change', 'email_change_token_new'
        );
    execute format(
        $query$
        insert into auth.users (%1$s)
        select %1$s
        from jsonb_populate_recordset(
            null::auth.users,
            (
                select coalesce(jsonb_agg(
                    $2 || jsonb_build_object('updated_at', given.item -> 'created_at') || given.item
                ), '[]')
                from jsonb_array_elements($1) as given (item)
                where not exists (
                    select from auth.users where users.id = (given.item ->> 'id')::uuid
                )
            )
        )
        $query$,
        fields
    )
    using
        users,
        jsonb_build_object(
            'instance_id', '00000000-0000-0000-0000-000000000000',
            'aud', 'authenticated',
            'role', 'authenticated',
            'raw_app_meta_data', '{"provider": "email", "providers": ["email"]}'::jsonb,
            'raw_user_meta_data', '{}'::jsonb,
            'confirmation_token', '',
            'recovery_token', '',
            'email_change', '',
            'email_change_token_new', ''
        );
    get diagnostics added_count = row_count;
    return added_count;
end
$$;
comment on function ops.add_restored_users(jsonb) is
    'Add users of a backup that auth.users lacks, without a password; returns their count.';
revoke all on function ops.add_restored_users(jsonb) from public, anon, authenticated;
