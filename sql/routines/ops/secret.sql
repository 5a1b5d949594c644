create or replace function ops.secret(name text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
-- Return a secret from Vault; from ops.local_secrets only where there is no Vault.
declare
    vault regclass := to_regclass('vault.decrypted_secrets');
    found_secret text;
begin
    if vault is not null then
        execute format('select decrypted_secret from %s where name = $1', vault)
        into found_secret
        using secret.name;
        if found_secret is null then
            raise sqlstate 'PT500' using
                message = format('expected a secret named %s in Vault, found none', secret.name),
                hint = format('select ops.store_secret(%L, ''…'');', secret.name);
        end if;
        return found_secret;
    end if;
    select local_secrets.value
    into found_secret
    from ops.local_secrets
    where local_secrets.name = secret.name;
    if found_secret is null then
        raise sqlstate 'PT500' using
            message = format('expected a secret named %s, found none', secret.name),
            hint = format('select ops.store_secret(%L, ''…'');', secret.name);
    end if;
    return found_secret;
end
$$;
comment on function ops.secret(text) is
    'A secret by name: from Vault where present, else from ops.local_secrets; PT500 if missing.';
revoke all on function ops.secret(text) from public, anon, authenticated;
