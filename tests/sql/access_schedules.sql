-- Nobody but the owner manages schedules: each routine and each table, called as each role.
begin;
select plan(5);

create temporary table attempts (statement text);
insert into attempts
values
    ('select ops.pause(''tick'', ''infinity'', ''r'')'),
    ('select ops.resume(''tick'')'),
    ('call ops.run_now(''tick'')'),
    ('call ops.run_schedule(''tick'')'),
    ('select ops.history()'),
    ('select ops.diff()'),
    ('select ops.apply(''[]'')'),
    ('select ops.list_schedules()'),
    ('select ops.record_act(''add'', ''x'')'),
    ('select ops.close_dead_runs()'),
    ('select ops.begin_run(''tick'', true, false)'),
    ('select ops.end_run(1, null, null)'),
    ('select ops.cron_jobs()'),
    ('select ops.check_command(''select 1'')'),
    ('select ops.next_runs(''* * * * *'')'),
    ('select ops.timing_text(''* * * * *'')'),
    ('select from ops.schedules'),
    ('select from ops.timetable'),
    ('select from ops.schedule_runs'),
    ('select from ops.audit');
grant select on attempts to public;

select tap.act_as_role('anon');
select results_eq('select distinct tap.outcome_of(statement) from attempts', array['denied'], 'anon');
select tap.act_as_role('service_role');
select results_eq(
    'select distinct tap.outcome_of(statement) from attempts', array['denied'], 'the service'
);
reset role;
select tap.new_user('ann') as ann
\gset
select tap.act_as(:'ann');
select results_eq('select distinct tap.outcome_of(statement) from attempts', array['denied'], 'a user');
reset role;
update public.profiles set is_admin = true where user_id = :'ann';
select tap.act_as(:'ann');
select results_eq(
    'select distinct tap.outcome_of(statement) from attempts', array['denied'],
    'a user who is an admin of the dashboard'
);
reset role;
select is_empty(
    $$
    select pg_proc.oid::regprocedure
    from pg_proc
    where pg_proc.pronamespace = 'ops'::regnamespace
        and has_function_privilege('service_role', pg_proc.oid, 'execute')
        and pg_proc.proname not in (
            'interval_s', 'is_close', 'is_symbol', 'are_symbols', 'is_cadence'
        )
    $$,
    'the service executes nothing of ops but what constraints call'
);

select * from finish();
rollback;
