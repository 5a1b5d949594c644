-- What the catalogue must say of every table and routine: security, comments, names, keys.
begin;
select plan(7);

create temporary view tables as
select
    pg_class.oid,
    pg_class.oid::regclass::text as name,
    pg_class.relkind as kind,
    pg_class.relrowsecurity
from pg_class
where pg_class.relnamespace in ('public'::regnamespace, 'ops'::regnamespace)
    and pg_class.relkind in ('r', 'p', 'v');

select is_empty(
    $$ select name from tables where kind <> 'v' and not relrowsecurity $$,
    'row level security is on for every table'
);
select is_empty(
    $$ select name from tables where obj_description(oid, 'pg_class') is null $$,
    'every table and view has a comment'
);
select is_empty(
    $$
    select name, attname
    from tables
    inner join pg_attribute on attrelid = tables.oid and attnum > 0 and not attisdropped
    where col_description(tables.oid, attnum) is null
    $$,
    'every column has a comment'
);
select is_empty(
    $$
    select oid::regprocedure
    from pg_proc
    where pronamespace in ('public'::regnamespace, 'ops'::regnamespace)
        and obj_description(oid, 'pg_proc') is null
    $$,
    'every routine has a comment'
);
select is_empty(
    $$
    select tables.name, pg_policies.policyname
    from pg_policies
    inner join tables on tables.name in (pg_policies.tablename, 'ops.' || pg_policies.tablename)
    where pg_policies.cmd in ('INSERT', 'ALL') or not (pg_policies.roles = '{authenticated}')
    $$,
    'no policy lets anybody insert, and none is for another role than authenticated'
);
select is_empty(
    $$
    select conrelid::regclass, conname
    from pg_constraint
    where connamespace in ('public'::regnamespace, 'ops'::regnamespace)
        and contype = 'c' and conname ~ '_check[0-9]*$'
    $$,
    'every check is named for what it promises'
);
select is_empty(
    $$
    select pg_constraint.conrelid::regclass, pg_constraint.conname
    from pg_constraint
    where pg_constraint.contype = 'f'
        and pg_constraint.connamespace in ('public'::regnamespace, 'ops'::regnamespace)
        and not exists (
            select
            from pg_index
            where pg_index.indrelid = pg_constraint.conrelid
                and pg_index.indkey[0] = pg_constraint.conkey[1]
        )
    $$,
    'every foreign key has an index that its cascade can use'
);

select * from finish();
rollback;
