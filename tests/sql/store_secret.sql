-- A secret is kept where ops.secret finds it, once a name; only the owner may store one.
begin;
select plan(12);

select is(
    ops.store_secret('function_secret', 'a value of its own'), 'ops.local_secrets', 'without Vault'
);
select is(ops.secret('function_secret'), 'a value of its own', 'and it is found');
select is(
    ops.store_secret('function_secret', 'another value, newer'), 'ops.local_secrets', 'again'
);
select is(ops.secret('function_secret'), 'another value, newer', 'replaces the value');
select throws_ok(
    $$ select ops.store_secret('function_secret', 'short') $$, 'PT400',
    'expected at least 16 characters for function_secret, were 5'
);
select throws_ok(
    $$ select ops.store_secret('function_secret', null) $$, 'PT400',
    'expected at least 16 characters for function_secret, were 0'
);

-- Vault's own names and arguments, without its encryption.
create schema vault;
create table vault.secrets (
    id uuid primary key default gen_random_uuid(), name text unique, secret text
);
create view vault.decrypted_secrets as
select id, name, secret as decrypted_secret from vault.secrets;
create function vault.create_secret(new_secret text, new_name text) returns uuid
language sql as 'insert into vault.secrets (name, secret) values ($2, $1) returning id';
create function vault.update_secret(secret_id uuid, new_secret text) returns void
language sql as 'update vault.secrets set secret = $2 where id = $1';

select is(ops.store_secret('function_secret', 'kept in the Vault'), 'Vault', 'with Vault');
select is(ops.store_secret('function_secret', 'kept there once more'), 'Vault', 'again');
select results_eq(
    'select name, secret from vault.secrets',
    $$ values ('function_secret', 'kept there once more') $$, 'one row a name'
);
select is(ops.secret('function_secret'), 'kept there once more', 'and it is found');

set local role authenticated;
select throws_ok(
    $$ select ops.store_secret('function_secret', 'from an ordinary user') $$, '42501'
);
set local role anon;
select throws_ok($$ select ops.store_secret('function_secret', 'from nobody at all') $$, '42501');

reset role;
select * from finish();
rollback;
