-- cron.job equals the page sql/schedules.sql; what differs, or is on no page, is reported.
begin;
select plan(6);

select results_eq(
    'select jobname::text collate "default", schedule, command from cron.job order by jobname',
    $$ values
        ('count_usage', '*/10 * * * *', 'select ops.count_usage();'),
        ('rescue_runs', '* * * * *', 'select ops.rescue_runs();'),
        ('tick', '* * * * *', 'select ops.tick();'),
        ('trim', '17 * * * *', 'call ops.trim();'),
        ('watch_slots', '* * * * *', 'select ops.watch_slots();') $$,
    'the timetable'
);
-- The tests hold the jobs still (conftest.py); here they may seem to run.
update cron.job set active = true;
select is_empty('select * from ops.schedules_drift()', 'no drift');

select cron.schedule('mine', '0 5 * * *', 'select 1');
select cron.schedule('tick', '*/2 * * * *', 'select ops.tick();');
update cron.job set active = false where jobname = 'trim';
select cron.unschedule('watch_slots');
select results_eq(
    'select name, problem from ops.schedules_drift()',
    $$ values
        ('mine', 'not on the page: select 1'),
        ('tick', 'differs: */2 * * * *, select ops.tick();'),
        ('trim', 'paused'),
        ('watch_slots', 'missing') $$,
    'each difference is named'
);

select is(
    ops.apply_schedules('[{
        "name": "tick", "schedule": "* * * * *", "command": "select ops.tick();",
        "description": "d"
    }]'),
    1, 'another page is applied'
);
select results_eq(
    'select jobname::text collate "default" from cron.job order by jobname', array['mine', 'tick'],
    'jobs that left the page are gone, others are left alone'
);
select results_eq(
    'select name from ops.schedules_drift()', array['mine'], 'and reported'
);

select * from finish();
rollback;
