-- Secrets come from Vault; from the local table only where there is no Vault.
begin;
select plan(6);

select throws_ok(
    $$ select ops.secret('function_secret') $$, 'PT500',
    'expected a secret named function_secret, found none'
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
select throws_ok(
    $$ select ops.setting('no_such_setting') $$, 'PT500',
    'expected a setting named no_such_setting, found none'
);

select * from finish();
rollback;
