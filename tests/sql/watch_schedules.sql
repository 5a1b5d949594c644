-- schedule_failing: a schedule that failed three times in a row, unless it is paused;
-- schedule_paused: one that is paused, a warning with its reason.
begin;
select plan(8);

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
    paused_until timestamptz, reason text
);
insert into ops.schedules
values
    ('tick', 3, now(), 500, null, null),
    ('rescue_runs', 2, now(), null, null, null),
    ('trim', 9, now(), null, 'infinity', 'the disk');

select ops.watch();
select results_eq(
    'select kind, subject, severity, message from ops.incidents order by kind',
    $$ values
        ('schedule_failing', 'tick', 'error', 'The schedule tick has failed 3 times in a row.'),
        (
            'schedule_paused', 'trim', 'warn',
            'The schedule trim is paused until it is resumed: the disk'
        ) $$,
    'three in a row; not two, and of the paused one only that it is paused'
);
select is(details -> 'last_http_status', '500', 'with its last answer')
from ops.incidents
where kind = 'schedule_failing';
update ops.schedules set fail_streak = 4 where name = 'tick';
update ops.schedules set paused_until = '2126-01-01 06:30Z' where name = 'trim';
select is((ops.watch() ->> 'open')::integer, 2, 'each stays one incident');
select results_eq(
    'select message from ops.incidents order by kind',
    array[
        'The schedule tick has failed 4 times in a row.',
        'The schedule trim is paused until 2126-01-01 06:30 UTC: the disk'
    ],
    'brought up to date'
);

update ops.schedules
set fail_streak = 0, paused_until = case name when 'trim' then now() - interval '1 second' end;
update ops.incidents set last_seen_at = now() - interval '31 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'a pause that ended is gone at the next look');
select is(kind, 'schedule_failing', 'what failed must stay away for longer')
from ops.incidents
where closed_at is null;
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'it closes when the schedule succeeds again');

update ops.schedules set paused_until = 'infinity', reason = 'r' where name = 'tick';
select ops.watch();
select ok(message like '%: r (closes are evaluated only %', 'of tick it says what is missing')
from ops.incidents
where closed_at is null;

select * from finish();
rollback;
