-- A scheduled run that failed is a line of the log, once; one that went well is none.
begin;
select plan(4);

create table if not exists ops.schedule_runs (
    id bigint generated always as identity primary key,
    schedule text not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    status text not null,
    error text,
    request_id bigint,
    http_status integer
);
\ir ../../sql/routines/ops/log_schedule_failure.sql
delete from ops.function_logs;

insert into ops.schedule_runs (schedule, started_at, status) values ('tick', now(), 'running');
update ops.schedule_runs set status = 'succeeded', ended_at = now() where schedule = 'tick';
select is_empty('select from ops.function_logs', 'a run that went well says nothing');

insert into ops.schedule_runs (schedule, started_at, status) values ('trim', now(), 'running');
update ops.schedule_runs set status = 'failed', ended_at = now(), error = 'expected a, was b'
where schedule = 'trim';
update ops.schedule_runs set http_status = 500, status = 'failed' where schedule = 'trim';
select results_eq(
    'select source, level, event, fields ->> ''schedule'', fields ->> ''error''
    from ops.log_lines',
    $$ values ('schedules', 'error', 'schedule_failed', 'trim', 'expected a, was b') $$,
    'one that failed is one line'
);
insert into ops.schedule_runs (schedule, started_at, ended_at, status, error)
values ('tick', now(), now(), 'failed', 'at once');
select is((select count(*) from ops.function_logs), 2::bigint, 'also if it is stored as failed');
update ops.settings set value = '2' where name = 'log_rows_per_day_max';
delete from ops.log_days;
select ops.count_lines(stored => 2);
insert into ops.schedule_runs (schedule, started_at, ended_at, status, error)
values ('tick', now(), now(), 'failed', 'on a full day');
select is(
    (select string_agg(event, ' ' order by id) from ops.function_logs),
    'schedule_failed schedule_failed log_day_filled', 'on a full day it is counted only'
);

select * from finish();
rollback;
