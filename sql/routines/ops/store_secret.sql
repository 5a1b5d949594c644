create or replace function ops.store_secret(name text, value text)
returns text
language plpgsql
set search_path = ''
as $$
-- Keep a secret where ops.secret(name) finds it: in Vault, or in ops.local_secrets where there is
-- no Vault. The same name again replaces the value. Returns the place. Runs as its caller: Vault
-- decides who may write.
declare
    vault regnamespace := to_regnamespace('vault');
    secret_id uuid;
begin
    if coalesce(length(store_secret.value), 0) < 16 then
        raise sqlstate 'PT400' using
            message = format(
                'expected at least 16 characters for %s, were %s',
                store_secret.name, coalesce(length(store_secret.value), 0)
            ),
            hint = 'make one: openssl rand -base64 32';
    end if;
    if vault is null then
        insert into ops.local_secrets (name, value)
        values (store_secret.name, store_secret.value)
        on conflict on constraint local_secrets_pkey do update
        set value = excluded.value;
        return 'ops.local_secrets';
    end if;
    execute format('select id from %s.secrets where name = $1', vault)
    into secret_id
    using store_secret.name;
    if secret_id is null then
        execute format('select %s.create_secret($1, $2)', vault)
        using store_secret.value, store_secret.name;
    else
        execute format('select %s.update_secret($1, $2)', vault)
        using secret_id, store_secret.value;
    end if;
    return 'Vault';
end
$$;
comment on function ops.store_secret(text, text) is
    'Keep a secret in Vault, or in ops.local_secrets where there is none; returns the place.';
revoke all on function ops.store_secret(text, text) from public, anon, authenticated;
