-- plpgsql_check reads every body as the planner would: unknown columns, wrong types, dead code.
begin;
select plan(1);

-- ops.run_schedule makes it when it runs.
create procedure pg_temp.scheduled() language plpgsql as 'begin end';

select is_empty(
    $$
    select pg_proc.oid::regprocedure, message.line
    from pg_proc
    inner join pg_language on pg_language.oid = pg_proc.prolang and pg_language.lanname = 'plpgsql'
    left join pg_trigger on pg_trigger.tgfoid = pg_proc.oid and not pg_trigger.tgisinternal
    cross join lateral tap.plpgsql_check_function(
        pg_proc.oid,
        relid => coalesce(pg_trigger.tgrelid, 0),
        oldtable => pg_trigger.tgoldtable,
        newtable => pg_trigger.tgnewtable,
        extra_warnings => false,
        performance_warnings => false
    ) as message (line)
    where pg_proc.pronamespace in ('public'::regnamespace, 'ops'::regnamespace)
        -- A trigger's routine can only be read with the table of its trigger.
        and (pg_proc.prorettype <> 'trigger'::regtype or pg_trigger.oid is not null)
    $$,
    'no routine has an error'
);

select * from finish();
rollback;
