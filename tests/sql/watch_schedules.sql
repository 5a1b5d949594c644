-- schedule_failing: a schedule that failed three times in a row, unless it is paused.
begin;
select plan(5);

-- The view with its history is not what is tested here: any relation of its shape.
do $$
begin
    if (select relkind = 'v' from pg_class where oid = 'ops.schedules'::regclass) then
        drop view ops.schedules cascade;
    else
        alter table ops.schedules rename to timetable;
    end if;
end
$$;
create table ops.schedules (
    name text, fail_streak integer, last_run_at timestamptz, last_http_status integer,
    paused_until timestamptz
);
insert into ops.schedules
values
    ('tick', 3, now(), 500, null),
    ('rescue_runs', 2, now(), null, null),
    ('trim', 9, now(), null, now() + interval '1 hour');

select ops.watch();
select results_eq(
    'select kind, subject, severity, message from ops.incidents',
    $$ values (
        'schedule_failing', 'tick', 'error', 'The schedule tick has failed 3 times in a row.'
    ) $$,
    'three in a row; not two, not the paused one'
);
select is(details -> 'last_http_status', '500', 'with its last answer') from ops.incidents;
update ops.schedules set fail_streak = 4 where name = 'tick';
select is((ops.watch() ->> 'open')::integer, 1, 'it stays one incident');
select ok(message like '%4 times%', 'brought up to date') from ops.incidents;

update ops.schedules set fail_streak = 0;
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'it closes when the schedule succeeds again');

select * from finish();
rollback;
