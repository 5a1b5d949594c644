-- A day has room for so many lines and bytes: levels give way one after the other, what is left
-- out is counted and said once, and what is counted is what is on the disk.
begin;
select plan(19);

create function pg_temp.lines(count integer, level text, size integer default 10, run bigint default null)
returns jsonb
language sql
as $$
    select jsonb_agg(jsonb_build_object(
        'source', 'test', 'level', level, 'event', 'thing_happened', 'run_id', run,
        'line_key', gen_random_uuid(), 'fields', jsonb_build_object(
            'text', (
                select string_agg(md5(random()::text), '') from generate_series(1, size / 32 + number * 0)
            )
        )
    ))
    from generate_series(1, count) as number;
$$;
create function pg_temp.stored(level text default null)
returns bigint
language sql
as $$
    select count(*) from ops.function_logs
    where source = 'test' and function_logs.level = coalesce(stored.level, function_logs.level);
$$;
create temporary view today as
select * from ops.list_log_days() where day = (clock_timestamp() at time zone 'UTC')::date;

update ops.settings set value = '100' where name = 'log_rows_per_day_max';
delete from ops.log_days;
delete from ops.function_logs;

select is(
    public.write_logs(pg_temp.lines(50, 'info')), '{"inserted": 50, "sampled": 0, "dropped": 0}',
    'up to half a day''s room every info line is stored'
);
select is(
    (public.write_logs(pg_temp.lines(20, 'debug')) ->> 'dropped')::integer, 20,
    'from half of it on, debug lines are left out'
);
select ok(
    (reply ->> 'sampled')::integer >= 15
        and (reply ->> 'sampled')::integer + (reply ->> 'inserted')::integer = 25,
    'and nine in ten of the info lines'
)
from public.write_logs(pg_temp.lines(25, 'info')) as reply;
select is(
    (public.write_logs(pg_temp.lines(24, 'warning')) ->> 'inserted')::integer, 24,
    'warnings are stored'
);
select is(
    (public.write_logs(pg_temp.lines(20, 'info')) ->> 'inserted')::integer
    + (public.write_logs(pg_temp.lines(20, 'info')) ->> 'inserted')::integer < 10, true,
    'from four fifths on, info lines are left out'
);
select public.write_logs(pg_temp.lines(60, 'error'));
select ok(
    pg_temp.stored() between 90 and 100, 'when the day is full, errors, too: ' || pg_temp.stored()
);
select is(
    (public.write_logs(pg_temp.lines(10, 'error')) ->> 'dropped')::integer >= 9, true,
    'the next batch is counted and left out'
);
select is(
    (select count(*) from ops.function_logs where event = 'log_day_filled'), 1::bigint,
    'one line says so'
);
select is(
    (select fields - 'lines' - 'bytes' from ops.function_logs where event = 'log_day_filled'),
    jsonb_build_object(
        'day', (clock_timestamp() at time zone 'UTC')::date,
        'lines_max', 100, 'bytes_max', 15000000
    ),
    'with the day and what it may have'
);
select ok(
    dropped_count > 80 and sampled_count >= 15 and share >= 0.9, 'the counts are in the days'
)
from today;
select ops.write_log('error', 'own_line') from generate_series(1, 20);
select ok(
    (select count(*) from ops.function_logs where event = 'own_line') <= 10,
    'the database''s own lines have the same room'
);

-- By bytes.
delete from ops.log_days;
delete from ops.function_logs;
update ops.settings set value = '50000' where name = 'log_rows_per_day_max';
update ops.settings set value = '1' where name = 'log_megabytes_per_day_max';
select public.write_logs(pg_temp.lines(500, 'warning', 4000)) from generate_series(1, 3);
select ok(
    bytes_count between 900000 and 1010000, 'a day''s bytes are bounded: ' || bytes_count
)
from today;
select ok(pg_temp.stored() between 200 and 260, 'whatever the number of lines: ' || pg_temp.stored());

-- What is counted is what is there: lines of every size, with every column in use.
delete from ops.log_days;
update ops.settings set value = '15' where name = 'log_megabytes_per_day_max';
truncate ops.function_logs;
select public.write_logs(pg_temp.lines(1000, 'info', 32 * (number % 20), number))
from generate_series(1, 10) as number;
select cmp_ok(
    pg_total_relation_size('ops.function_logs')::float8 / bytes_count, '<', 1.1::float8,
    'ten thousand lines take no more than is counted'
)
from today;
select cmp_ok(
    pg_total_relation_size('ops.function_logs')::float8 / bytes_count, '>', 0.5::float8,
    'nor less than half of it'
)
from today;

-- Sampling keeps the lines of a run together; a key is stored once.
delete from ops.log_days;
truncate ops.function_logs;
update ops.settings set value = '4' where name = 'log_sample_info';
select public.write_logs(
    pg_temp.lines(3, 'info', 32, run) || pg_temp.lines(1, 'error', 32, run)
)
from generate_series(1, 200) as run;
select ok(count(*) between 25 and 80, 'about one run in four: ' || count(*))
from (
    select run_id from ops.function_logs where level = 'info' group by run_id
) as runs;
select is_empty(
    $$
    select run_id from ops.function_logs where level = 'info'
    group by run_id having count(*) <> 3
    $$,
    'with all of its lines'
);
select is(pg_temp.stored('error'), 200::bigint, 'and the errors of all');
select is(
    (public.write_logs(line) ->> 'inserted')::integer
    + (public.write_logs(line) ->> 'inserted')::integer, 1,
    'a batch that is sent again is stored once'
)
from pg_temp.lines(1, 'warning') as line;

select * from finish();
rollback;
