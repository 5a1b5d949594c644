-- cron.job equals the page sql/schedules.sql; what differs, or is on no page, is reported; another
-- page is applied whole, its diff told before.
begin;
select plan(13);

select results_eq(
    'select jobname::text collate "default", schedule, command from cron.job order by jobname',
    $$
    select
        name,
        case when timing like 'every %' then '* * * * *' else timing end,
        format('call ops.run_schedule(%L)', name)
    from ops.timetable order by name
    $$,
    'each schedule is one job, which runs it by its name'
);
-- The rest is about these four, whatever else is on the page.
delete from ops.timetable where name not in ('rescue_runs', 'tick', 'trim', 'watch');
delete from cron.job where jobname not in ('rescue_runs', 'tick', 'trim', 'watch');
-- The tests hold the jobs still (conftest.py); here they may seem to run.
update cron.job set active = true;
select is_empty('select * from ops.diff()', 'nothing differs');

select cron.schedule('mine', '0 5 * * *', 'select 1');
select cron.schedule('tick', '*/2 * * * *', 'select ops.tick();');
update cron.job set active = false where jobname = 'trim';
select cron.unschedule('watch');
create temporary table differences (change text, name text, detail text);
insert into differences
values
    ('change', 'tick', 'cron.job: */2 * * * * select ops.tick();'),
    ('change', 'trim', 'cron.job: switched off'),
    ('change', 'watch', 'cron.job: missing'),
    ('unmanaged', 'mine', '0 5 * * * select 1');
select results_eq('select * from ops.diff()', 'select * from differences', 'each difference is named');

-- The timetable as a page.
create function pg_temp.page()
returns jsonb
language sql
as $$
    select jsonb_agg(
        jsonb_build_object(
            'name', name, 'timing', timing, 'command', command, 'description', description
        )
        order by name
    )
    from ops.timetable
$$;
select results_eq(
    'select * from ops.apply(pg_temp.page())', 'select * from differences',
    'applying the page tells the same'
);
select results_eq(
    'select * from ops.diff()', $$ values ('unmanaged', 'mine', '0 5 * * * select 1') $$,
    'and mends all but the job that is on no page'
);
select is(
    (select command from cron.job where jobname = 'mine'), 'select 1', 'which is left alone'
);

select ops.pause('tick', 'infinity', 'a test');
select '[
    {"name": "tick", "timing": "every  20 s", "command": "select ops.tick();",
        "description": "d", "overlap": "queue"},
    {"name": "night", "timing": "0 3 * * *", "command": "call ops.trim()", "description": "n"}
]' as page
\gset
create temporary table changes (change text, name text, detail text);
insert into changes select * from ops.apply(:'page', dry_run => true);
select results_eq(
    'select * from changes',
    $$ values
        ('add', 'night', 'every day at 03:00: call ops.trim()'),
        ('change', 'tick', concat_ws('; ',
            'description: Make the slots that are owed and call trigger_executions with all'
            ' unfinished runs. → d',
            'overlap: skip → queue',
            'timing: * * * * * → every 20 s'
        )),
        ('remove', 'rescue_runs', 'select ops.rescue_runs();'),
        ('remove', 'trim', 'call ops.trim();'),
        ('remove', 'watch', 'select ops.watch();'),
        ('unmanaged', 'mine', '0 5 * * * select 1') $$,
    'a dry run tells what would be added, changed, removed'
);
select is((select count(*) from ops.timetable), 4::bigint, 'and changes nothing');
select results_eq(
    format('select * from ops.apply(%L)', :'page'), 'select * from changes',
    'applying it tells the same'
);
select results_eq(
    'select jobname::text collate "default", schedule, active from cron.job order by jobname',
    $$ values
        ('mine', '0 5 * * *', true), ('night', '0 3 * * *', true), ('tick', '* * * * *', true) $$,
    'jobs that left the page are gone; seconds are marks within a job of every minute'
);
select is(
    (select pause_reason from ops.timetable where name = 'tick'), 'a test', 'a pause stays'
);
select is_empty(
    format($$ select * from ops.apply(%L) where change <> 'unmanaged' $$, :'page'),
    'applying it again changes nothing'
);
select results_eq(
    $$ select action, object from ops.audit where at > now() order by id desc limit 5 $$,
    $$ values
        ('change', 'schedule tick'), ('add', 'schedule night'), ('remove', 'schedule watch'),
        ('remove', 'schedule trim'), ('remove', 'schedule rescue_runs') $$,
    'and the audit says who changed what'
);

select * from finish();
rollback;
