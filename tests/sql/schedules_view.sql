-- ops.schedules: what a schedule did last, how it is doing, and what comes next.
begin;
select plan(15);

delete from ops.schedule_runs;
select results_eq(
    $$
    select timing, timing_text, time_zone, last_run_at, last_status, average_ms, fail_streak,
        paused_until
    from ops.schedules where name = 'trim'
    $$,
    $$ values ('17 * * * *', 'every hour at :17', 'UTC', null::timestamptz, null::text,
        null::float8, 0, null::timestamptz) $$,
    'a schedule that never ran'
);
select is(
    (select next_runs from ops.schedules where name = 'tick'),
    array(
        select date_trunc('minute', now()) + interval '1 minute' * place
        from generate_series(1, 3) as place
    ),
    'the next three runs'
);

-- Two that succeeded, then three that failed, one of them skipped between; newest last.
insert into ops.schedule_runs (schedule, started_at, ended_at, status, error)
select
    'tick', now() - make_interval(mins => back), now() - make_interval(mins => back, secs => -took_s),
    status, case when status = 'succeeded' then null else status || ' ' || back end
from (
    values
        (9, 'failed', 1.0), (8, 'succeeded', 0.010), (7, 'succeeded', 0.030), (6, 'failed', 5),
        (5, 'failed', 5), (4, 'skipped', 0), (3, 'failed', 5)
) as runs (back, status, took_s);
select results_eq(
    $$
    select last_run_at, last_status, last_error, average_ms, fail_streak
    from ops.schedules where name = 'tick'
    $$,
    $$ values (now() - interval '3 minutes', 'failed', 'failed 3', 20::float8, 3) $$,
    'last run, mean of those that succeeded, failures since one did; skipped ones do not count'
);
select is(
    (select fail_streak from ops.schedules where name = 'trim'), 0, 'of each schedule its own'
);
insert into ops.schedule_runs (schedule, started_at, ended_at, status)
values ('tick', now() - interval '1 minute', now(), 'succeeded');
select is(
    (select fail_streak from ops.schedules where name = 'tick'), 0, 'a success ends the streak'
);

-- A run of this very process, in a statement before this one: it never wrote its end.
insert into ops.schedule_runs (schedule, started_at, status) values ('tick', '2026-01-01', 'running');
insert into ops.schedule_runs (schedule, status, pid) values ('trim', 'running', 999999999);
select results_eq(
    $$ select last_status, last_error from ops.schedules where name = 'trim' $$,
    $$ values ('failed', 'its process is gone') $$,
    'a run whose process is gone failed'
);
select is(ops.close_dead_runs(), 1, 'a young one may be one that pg_cron has not written down yet');
update ops.schedule_runs set started_at = now() - interval '11 seconds' where pid = 999999999;
select is(ops.close_dead_runs(), 1, 'later it is written down');
select results_eq(
    $$ select status, error, ended_at is null from ops.schedule_runs where schedule = 'trim' $$,
    $$ values ('failed', 'its process ended without a word', false) $$,
    'with what is known'
);
insert into cron.job_run_details
    (jobid, runid, job_pid, database, username, command, status, return_message, start_time, end_time)
values
    (1, -1, 999999999, 'd', 'u', 'c', 'failed', E'ERROR:  division by zero\n',
        now() - interval '2 seconds', now() - interval '1 second');
insert into ops.schedule_runs (schedule, started_at, status, pid)
values ('trim', now() - interval '2 seconds', 'running', 999999999);
select ops.close_dead_runs();
select results_eq(
    $$
    select error, ended_at from ops.schedule_runs where schedule = 'trim' order by id desc limit 1
    $$,
    $$ values ('ERROR:  division by zero', now() - interval '1 second') $$,
    'best of all what pg_cron heard'
);

-- Answers: the second request was never answered, the third not yet.
insert into ops.schedule_runs (schedule, started_at, ended_at, status, request_id)
select 'tick', now() + make_interval(secs => place), now() + interval '9 s', 'succeeded', place + 9e8
from generate_series(1, 2) as place;
insert into net._http_response (id, status_code, timed_out, error_msg)
values (900000001, 200, false, null), (900000002, null, false, 'Couldn''t connect');
select is(
    (select last_http_status from ops.schedules where name = 'tick'), null, 'no answer, no status'
);
select results_eq(
    $$ select http_status, http_error from ops.history('tick', 2) $$,
    $$ values (null::integer, 'Couldn''t connect'), (200, null) $$,
    'history says why'
);
select ops.keep_http_answers('tick');
delete from net._http_response;
select results_eq(
    $$ select http_status, http_error from ops.history('tick', 2) $$,
    $$ values (null::integer, 'Couldn''t connect'), (200, null) $$,
    'also when pg_net has forgotten'
);

select throws_ok('select ops.history(''nope'')', 'PT404',
    'expected the name of a schedule, was nope');
select throws_ok('select ops.history(null, 0)', 'PT400', 'expected 1 to 10,000 rows, was 0');

select * from finish();
rollback;
