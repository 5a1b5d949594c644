-- Every routine of ours: no search_path of the caller's, no execution by users.
begin;
select plan(6);

create temporary view routines as
select
    pg_proc.oid,
    pg_proc.oid::regprocedure::text as name,
    pg_proc.pronamespace::regnamespace::text as schema,
    pg_proc.prosecdef,
    pg_proc.proconfig,
    pg_proc.prosqlbody is not null as is_bound,
    pg_proc.prokind
from pg_proc
where pg_proc.pronamespace in ('public'::regnamespace, 'ops'::regnamespace);

select is_empty(
    $$
    select name from routines
    where not (proconfig @> array['search_path=""'] or is_bound or prokind = 'p')
    $$,
    'each has an empty search_path, or a body bound when it was made'
);
select results_eq(
    $$ select name from routines where prokind = 'p' order by name $$,
    $$ values
        ('ops."trim"(integer)'), ('ops.run_now(text,jsonb)'),
        ('ops.run_schedule(text,boolean,jsonb)') $$,
    'the procedures commit, which a search_path of their own would forbid'
);
select is_empty(
    $$
    select name, role
    from routines, unnest(array['anon', 'authenticated', 'public']) as role
    where has_function_privilege(role, routines.oid, 'execute')
        and not (
            role = 'authenticated'
            and name in (
                -- A check constraint runs with the rights of whoever writes the row.
                'ops.interval_s(text)', 'ops.is_close(text,timestamp with time zone)',
                'ops.is_symbol(text)', 'ops.are_symbols(text[])', 'ops.is_cadence(text)',
                -- These ask by themselves whether the user is an operator.
                'public.list_incidents()', 'public.acknowledge_incident(bigint,text)'
            )
        )
    $$,
    'users may execute none but those for operators'
);
select results_eq(
    $$
    select split_part(name, '(', 1)
    from routines
    where schema = 'public' and has_function_privilege('service_role', oid, 'execute')
        and prosecdef
    order by 1
    $$,
    $$ values
        ('public.add_usage'), ('public.claim_run'), ('public.emit_signals'),
        ('public.fail_run'), ('public.open_slot'), ('public.store_trader'), ('public.write_logs')
    $$,
    'the service may execute the seven routines of the API'
);
select is(
    (select count(*) from routines where schema = 'public'), 9::bigint,
    'and there are no others but the two for operators in the schema that REST shows'
);

select is_empty(
    $$
    select distinct pg_proc.pronamespace::regnamespace
    from pg_proc
    where pg_proc.pronamespace::regnamespace::text not in (
        'public', 'ops',
        'auth', 'cron', 'extensions', 'information_schema', 'net', 'pg_catalog', 'realtime', 'tap'
    )
        and pg_proc.pronamespace::regnamespace::text not like 'pg\_temp\_%'
    $$,
    'no routine of ours is in a schema that is not looked at here'
);

select * from finish();
rollback;
