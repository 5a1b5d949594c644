-- Secrets come from Vault; from the local table only where there is no Vault.
begin;
select plan(8);

create function pg_temp.hint_of(query text)
returns text
language plpgsql
as $$
declare
    hint text;
begin
    execute query;
    return null;
exception when others then
    get stacked diagnostics hint = pg_exception_hint;
    return hint;
end
$$;

select throws_ok(
    $$ select ops.secret('function_secret') $$, 'PT500',
    'expected a secret named function_secret, found none'
);
select is(
    pg_temp.hint_of($$ select ops.secret('function_secret') $$),
    $$select ops.store_secret('function_secret', '…');$$, 'what keeps it in the right place'
);
insert into ops.local_secrets (name, value) values ('function_secret', 'from the local table');
select is(ops.secret('function_secret'), 'from the local table', 'without Vault');
select throws_ok(
    $$ insert into ops.local_secrets (name, value) values ('short', 'short') $$, '23514'
);

create schema vault;
create view vault.decrypted_secrets as
select 'function_secret'::text as name, 'from Vault'::text as decrypted_secret;
select is(ops.secret('function_secret'), 'from Vault', 'with Vault');
select throws_ok(
    $$ select ops.secret('another') $$, 'PT500',
    'expected a secret named another in Vault, found none'
);
select is(
    pg_temp.hint_of($$ select ops.secret('another') $$),
    $$select ops.store_secret('another', '…');$$, 'and with Vault'
);
select throws_ok(
    $$ select ops.setting('no_such_setting') $$, 'PT500',
    'expected a setting named no_such_setting, found none'
);

select * from finish();
rollback;
