-- What a backup is made and compared with: every table or a reason, sums that see each change,
-- refusals of a restore. The commands themselves: test_backup.py, test_restore.py.
begin;
select plan(18);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset

select results_eq(
    $$
    select name from ops.list_backup_tables() where excluded_because is not null
        and name in ('ops.local_secrets', 'ops.outbox', 'ops.backups', 'ops.function_logs')
    $$,
    $$ values ('ops.backups'), ('ops.function_logs'), ('ops.local_secrets'), ('ops.outbox') $$,
    'secrets, logs, sent notifications and the list of backups are in no backup'
);
create table public.added_later (id bigint);
create schema trading;
create table trading.fills (id bigint);
select is(
    (
        select array_agg(excluded_because is null and not is_kept) from ops.list_backup_tables()
        where name in ('public.added_later', 'trading.fills')
    ),
    '{t,t}',
    'a table that is added later is in the backup by itself'
);
select ok(
    ops.backup_manifest() -> 'tables' ?& array['public.added_later', 'public.traders']
    and not ops.backup_manifest() -> 'tables' ? 'ops.local_secrets',
    'the manifest counts what is in, and nothing else'
);

create table public.bag (a integer, b text, c timestamptz, d float8, e jsonb);
insert into public.bag values
    (1, 'x', '2026-01-01T00:00:00Z', 0.1, '{"a": 1}'), (2, null, null, 'nan', null);
select ops.table_checksum('public.bag') as two_rows
\gset
insert into public.bag select * from public.bag where a = 1;
delete from public.bag
where ctid = (select min(ctid) from public.bag as first where first.a = 1);
select is(ops.table_checksum('public.bag'), :'two_rows', 'the order of rows makes no difference');
set local timezone = 'Asia/Tokyo';
set local datestyle = 'German';
set local extra_float_digits = -5;
select is(ops.table_checksum('public.bag'), :'two_rows', 'nor do the settings of who asks');
insert into public.bag select * from public.bag where a = 2;
select isnt(
    ops.table_checksum('public.bag') ->> 'checksum', :'two_rows'::jsonb ->> 'checksum',
    'a doubled row does'
);
truncate public.bag;
insert into public.bag values
    (1, '', '2026-01-01T00:00:00Z', 0.1, '{"a": 1}'), (2, null, null, 'nan', null);
select isnt(
    ops.table_checksum('public.bag') ->> 'checksum', :'two_rows'::jsonb ->> 'checksum',
    'and a changed one'
);
truncate public.bag;
insert into public.bag values
    (1, 'x', '2026-01-01T00:00:00Z', 0.1, '{"a": 1}'), (2, '', null, 'nan', null);
select isnt(
    ops.table_checksum('public.bag') ->> 'checksum', :'two_rows'::jsonb ->> 'checksum',
    'null is no empty text'
);

select lives_ok(
    $$ select ops.record_backup(now(), '/b/x.zip', 5, '{"public.traders": 1}', repeat('a', 64)) $$,
    'a backup is noted'
);
select throws_ok(
    $$ select ops.record_backup(now(), '/b/x.zip', 5, '{}', 'no sum') $$, '23514', null,
    'one without a checksum is not'
);
select throws_ok(
    $$ select ops.record_backup(now(), '/b/x.zip', 0, '{}', repeat('a', 64)) $$, '23514', null,
    'nor an empty one'
);

select throws_like(
    $$ select ops.prepare_restore(array['20200101000000'], true) $$,
    'expected the schema of the backup, 20200101000000 (migrations: 1), was %',
    'a backup of another schema is refused'
);
select throws_like(
    $$ select ops.prepare_restore(ops.schema_versions(), false) $$,
    'expected an empty target, there are rows in public.bag, public.profiles, public.trader%',
    'so is a target with rows'
);
insert into ops.local_secrets (name, value) values ('a_secret', 'sixteen characters');
select is(
    ops.prepare_restore(ops.schema_versions(), true) -> 'addresses' ->> 'functions_url', '',
    'unless they may be replaced: addresses are kept'
);
select is(
    (select count(*) from public.traders) || ' ' || (select count(*) from ops.local_secrets), '0 1',
    'then it is empty, but for secrets'
);
select throws_like(
    $$ select ops.finish_restore('{"tables": {}}', '{}') $$,
    'expected the counts and checksums of the manifest, other rows are in %public.traders%',
    'a table that the manifest does not name is a difference'
);

select tap.act_as(:'ann');
select throws_ok($$ select * from ops.backups $$, '42501', null, 'users see no backups');
select tap.act_as_role('service_role');
select throws_ok($$ select * from ops.backups $$, '42501', null, 'nor does the service');
reset role;

select * from finish();
rollback;
