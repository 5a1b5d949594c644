-- A page with one impossible schedule is refused with the reason, and nothing of it is applied.
begin;
select plan(29);

create temporary table before as select * from ops.timetable;
create temporary table jobs_before as select * from cron.job;

-- A good schedule, then one with these fields replaced.
create function pg_temp.refusal(fields jsonb)
returns text
language plpgsql
as $$
begin
    perform ops.apply(jsonb_build_array(
        '{"name": "good", "timing": "* * * * *", "command": "select ops.tick();",
            "description": "d"}'::jsonb,
        jsonb_strip_nulls('{"name": "bad", "timing": "* * * * *", "command": "select ops.tick();",
            "description": "d"}'::jsonb || fields)
    ));
    return 'applied';
exception
    when others then return sqlstate || ' ' || sqlerrm;
end
$$;

select is(pg_temp.refusal('{"timing": "61 * * * *"}'),
    'PT400 schedule bad: minute: expected 0 to 59, was 61', 'no such minute');
select is(pg_temp.refusal('{"timing": "0 0 30 2 *"}'),
    'PT400 schedule bad: expected a time that comes, "0 0 30 2 *" never does', '30 February');
select is(pg_temp.refusal('{"timing": "* * * *"}'),
    'PT400 schedule bad: expected five fields (minute hour day month weekday) or "every N s",'
    ' was "* * * *"', 'four fields');
select is(pg_temp.refusal('{"timing": "every 7 s"}'),
    'PT400 schedule bad: expected every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s, was every 7 s',
    'seconds that do not divide a minute');
select is(pg_temp.refusal('{"timing": "every 60 s"}'),
    'PT400 schedule bad: expected every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s, was every 60 s',
    'a minute of seconds');
select is(pg_temp.refusal('{"timing": "every 0 s"}'),
    'PT400 schedule bad: expected every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s, was every 0 s',
    'no seconds');
select is(pg_temp.refusal('{"command": "select ops.tik();"}'),
    'PT400 schedule bad: expected a command that can run, was "select ops.tik();":'
    ' function ops.tik() does not exist', 'an unknown function');
select is(pg_temp.refusal('{"command": "call ops.trim(''many'', 1)"}'),
    'PT400 schedule bad: expected a command that can run, was "call ops.trim(''many'', 1)":'
    ' procedure ops.trim(unknown, integer) does not exist', 'an unknown procedure');
select is(pg_temp.refusal('{"command": "select tick()"}'),
    'PT400 schedule bad: expected a command that can run, was "select tick()":'
    ' function tick() does not exist', 'a function without its schema');
select is(pg_temp.refusal('{"command": "select * from ops.nothing"}'),
    'PT400 schedule bad: expected a command that can run, was "select * from ops.nothing":'
    ' relation "ops.nothing" does not exist', 'an unknown table');
select is(pg_temp.refusal('{"command": "select ops.tick("}'),
    'PT400 schedule bad: expected a command that can run, was "select ops.tick(":'
    ' syntax error at end of input', 'half a command');
select is(pg_temp.refusal('{"command": "drop table public.signals"}'),
    'PT400 schedule bad: expected a command of one select or call, was "drop table public.signals"',
    'neither select nor call');
select is(pg_temp.refusal('{"command": "select 1; drop table public.signals"}'),
    'PT400 schedule bad: expected a command of one select or call,'
    ' was "select 1; drop table public.signals"', 'two statements');
select is(pg_temp.refusal('{"name": "good"}'),
    'PT409 expected each name once on the page, there twice: good', 'a name that is there');
select is(pg_temp.refusal('{"name": "Bad name"}'),
    'PT400 schedule Bad name: expected a name of small letters, digits and _, a letter first',
    'a name that is no word');
select is(pg_temp.refusal('{"overlap": "allow"}'),
    'PT400 schedule bad: expected overlap skip or queue, was "allow"', 'an unknown policy');
select is(pg_temp.refusal('{"timings": "* * * * *"}'),
    'PT400 schedule bad: timings: no such field', 'a misspelt field');
select is(pg_temp.refusal('{"description": null}'),
    'PT400 schedule bad: description: missing', 'a missing field');
select is(pg_temp.refusal('{"timing": 5}'),
    'PT400 schedule bad: timing: expected a text, was 5', 'a number for a text');
select is(pg_temp.refusal(jsonb_build_object('description', repeat('x', 1001))),
    'PT400 schedule bad: expected command and description of at most 1,000 characters',
    'a book for a description');

select throws_ok(
    $$
    select ops.diff(jsonb_agg(jsonb_build_object(
        'name', 'seconds_' || place, 'timing', 'every 5 s', 'command', 'select 1',
        'description', 'd'
    )))
    from generate_series(1, current_setting('cron.max_running_jobs')::integer / 2 + 1) as place
    $$,
    'PT400',
    format(
        'expected at most %s schedules of every N s, were %s',
        current_setting('cron.max_running_jobs')::integer / 2,
        current_setting('cron.max_running_jobs')::integer / 2 + 1
    ),
    'schedules that would leave no worker of pg_cron to the others'
);
select throws_ok('select ops.apply(null)', 'PT400', 'expected a page of schedules, was null');
select throws_ok('select ops.apply(''[]'')', 'PT400',
    'expected a page of 1 to 200 schedules, was 0 of them');
select throws_ok('select ops.apply(''{"name": "x"}'')', 'PT400',
    'expected a page of 1 to 200 schedules, was object');
select throws_ok('select ops.diff(''[7]'')', 'PT400', 'expected a schedule to be an object, was 7');

select results_eq(
    'select * from ops.timetable order by name', 'select * from before order by name',
    'the timetable is as before'
);
select results_eq(
    'select * from cron.job order by jobid', 'select * from jobs_before order by jobid',
    'and so are the jobs'
);

-- pg_cron itself refuses at the very end: all of the page is taken back.
create function cron.refuse()
returns trigger
language plpgsql
as $$ begin raise 'no more jobs'; end $$;
create trigger refuse before insert on cron.job for each row execute function cron.refuse();
select is(pg_temp.refusal('{}'), 'P0001 no more jobs', 'pg_cron refuses');
select results_eq(
    'select * from ops.timetable order by name', 'select * from before order by name',
    'a failure halfway changes nothing'
);

select * from finish();
rollback;
