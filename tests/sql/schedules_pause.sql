-- Pause and resume: what is refused, what the view shows, who did it.
begin;
select plan(18);

select throws_ok($$ select ops.pause('nope', now() + interval '1 h', 'r') $$, 'PT404',
    'expected the name of a schedule, was nope');
select is(
    tap.hint_of($$ select ops.resume('nope') $$),
    'PT404 there are: ' || (select string_agg(name, ', ' order by name) from ops.timetable),
    'the hint lists the names'
);
select throws_ok($$ select ops.pause('tick', '2020-01-01', 'r') $$, 'PT400',
    'expected an instant in the future, was 2020-01-01 00:00:00 UTC');
select throws_ok($$ select ops.pause('tick', null, 'r') $$, 'PT400',
    'expected an instant in the future, was null');
select throws_ok($$ select ops.pause('tick', 'infinity', ' ') $$, 'PT400',
    'expected a reason of 1 to 500 characters, was empty');
select throws_ok($$ select ops.pause('tick', 'infinity', null) $$, 'PT400',
    'expected a reason of 1 to 500 characters, was empty');
select throws_ok(format($$ select ops.pause('tick', 'infinity', %L) $$, repeat('x', 501)), 'PT400',
    'expected a reason of 1 to 500 characters, was 501 long');

delete from ops.audit;
select is(
    ops.pause('tick', '2126-01-01 12:00:30+00', ' the venue is down '),
    'tick is paused until 2126-01-01 12:00:30 UTC', 'it says until when'
);
select results_eq(
    $$ select paused_until, reason, next_runs[1] from ops.schedules where name = 'tick' $$,
    $$ values ('2126-01-01 12:00:30+00'::timestamptz, 'the venue is down',
        '2126-01-01 12:01:00+00'::timestamptz) $$,
    'the view shows the pause, and the first run after it'
);
select is(
    (select paused_until from ops.schedules where name = 'trim'), null, 'the others go on'
);
select is(
    ops.pause('tick', 'infinity', 'longer'), 'tick is paused until it is resumed', 'paused again'
);
select is((select next_runs from ops.schedules where name = 'tick'), '{}', 'no run in sight');
select matches(ops.resume('tick'), '^tick goes on; its next run is at .* UTC$', 'resumed');
select is((select reason from ops.schedules where name = 'tick'), null, 'the view forgets it');
select matches(ops.resume('tick'), '^tick was not paused', 'resuming twice changes nothing');
select results_eq(
    $$
    select who, via, action, object, before ->> 'pause_reason', after ->> 'pause_reason'
    from ops.audit order by id
    $$,
    $$ values
        (session_user::text collate "default", 'psql', 'pause', 'schedule tick', null,
            'the venue is down'),
        (session_user::text collate "default", 'psql', 'pause', 'schedule tick', 'the venue is down', 'longer'),
        (session_user::text collate "default", 'psql', 'resume', 'schedule tick', 'longer', null) $$,
    'who did what, before and after'
);

update ops.settings set value = '41' where name = 'error_limit';
update ops.settings set value = '41' where name = 'error_limit';
select results_eq(
    $$
    select action, object, before ->> 'value', after ->> 'value' from ops.audit order by id desc
    limit 1
    $$,
    $$ values ('change', 'setting error_limit', '10', '41') $$,
    'a changed setting is written down, once'
);
select set_config('request.jwt.claims', '{"sub": "0f8fad5b-d9cb-469f-a165-70867728950e"}', true);
delete from ops.settings where name = 'error_limit';
select results_eq(
    $$ select who, action, after from ops.audit order by id desc limit 1 $$,
    $$ values ('0f8fad5b-d9cb-469f-a165-70867728950e', 'remove', null::jsonb) $$,
    'by the user of the token if there is one'
);

select * from finish();
rollback;
