-- ops.budget: what was used against what is free; ops.count_usage: what Postgres itself sees.
begin;
select plan(22);

create function pg_temp.days_ago(days integer)
returns date
language sql
as $$ select (now() at time zone 'UTC')::date - days; $$;
create function pg_temp.used(wanted text)
returns numeric
language sql
as $$ select used_today from ops.budget where meter = wanted; $$;

delete from ops.usage;
delete from ops.usage_reporters;
select results_eq(
    'select meter from ops.budget order by meter', 'select meter from ops.meters order by meter',
    'every meter has a row, used or not'
);
select is_empty(
    'select meter from ops.budget where projected_month is not null or share is not null',
    'nothing used: nothing is projected'
);

-- 1,000 commands a day for six days and as many in a quarter of today.
insert into ops.usage (meter, day, amount, first_at)
select 'redis_commands', pg_temp.days_ago(n), 1000, now() - make_interval(days => n)
from generate_series(1, 6) as n;
select is(
    (select round(projected_month) from ops.budget where meter = 'redis_commands'),
    30000::numeric, 'a thousand a day are thirty thousand a month'
);
select is(
    (select round(share, 3) from ops.budget where meter = 'redis_commands'), 0.060,
    'of half a million'
);
select is(pg_temp.used('redis_commands'), 0::numeric, 'none of them today');
insert into ops.usage (meter, day, amount, first_at)
values ('redis_commands', pg_temp.days_ago(40), 9e9, now() - interval '40 days');
select is(
    (select round(projected_month) from ops.budget where meter = 'redis_commands'),
    30000::numeric, 'what is older than a week does not count'
);
update ops.usage set amount = 600000
where meter = 'redis_commands' and day = pg_temp.days_ago(1);
select ok(
    (select share > 1 from ops.budget where meter = 'redis_commands'),
    'a busy day that breaks the month breaks the budget'
);

insert into ops.usage (meter, day, amount, first_at)
values ('redis_bytes', pg_temp.days_ago(0), 5e9, now() - interval '9 minutes');
select is(
    (select projected_month from ops.budget where meter = 'redis_bytes'), null,
    'nine minutes are too few to project'
);
update ops.usage set first_at = now() - interval '1 hour' where meter = 'redis_bytes';
select is(
    (select round(share) from ops.budget where meter = 'redis_bytes'), 360::numeric,
    'an hour is enough'
);
update ops.meters set free_limit = null where meter = 'redis_bytes';
select is(
    (select share from ops.budget where meter = 'redis_bytes'), null, 'without a limit no share'
);


-- What a new system loads in its first minutes is no rate.
delete from ops.usage where meter = 'redis_commands';
select public.add_usage('[{"reporter": "functions-a", "totals": {"redis_commands": 900000}}]');
update ops.usage
set first_at = now() - interval '1 hour', settled_at = now() - interval '1 hour'
where meter = 'redis_commands';
select public.add_usage('[{"reporter": "functions-a", "totals": {"redis_commands": 900500}}]');
select is(
    (select round(projected_month) from ops.budget where meter = 'redis_commands'), 900500::numeric,
    'a month is at least what it has used'
);
select public.add_usage('[{"reporter": "functions-a", "totals": {"redis_commands": 902000}}]');
select is(
    (select round(projected_month) from ops.budget where meter = 'redis_commands'),
    (2000 * 24 * 30)::numeric, 'the rate is of what came after the first five minutes'
);
delete from ops.usage where meter = 'redis_commands';
delete from ops.usage_reporters;

-- A level grows by 10 MB a day.
insert into ops.usage (meter, day, amount)
select 'database_bytes', pg_temp.days_ago(n), 100e6 - n * 10e6
from generate_series(0, 3) as n;
select is(pg_temp.used('database_bytes'), 100e6, 'of a level the newest');
select is(
    (select projected_month from ops.budget where meter = 'database_bytes'), 400e6,
    'and in thirty days what it will have grown to'
);
delete from ops.usage where meter = 'database_bytes' and day < pg_temp.days_ago(0);
select is(
    (select projected_month from ops.budget where meter = 'database_bytes'), 100e6,
    'known for a day: it stays as it is'
);

-- What Postgres sees itself.
select is(ops.count_usage(), '{}', 'the first count only remembers where to begin');
select ok(
    abs(pg_temp.used('database_bytes') - pg_database_size(current_database())) < 1e6,
    'the size is the present one'
);
update ops.usage_reporters
set totals = jsonb_build_object(
    'database_rows', (totals ->> 'database_rows')::numeric - 42, 'until', now() - interval '1 hour'
)
where reporter = 'postgres';
select realtime.send('{"a": 1}', 'signals', 'signals:x', true) from generate_series(1, 3);
update realtime.messages set inserted_at = now() - interval '5 minutes'
where topic = 'signals:x';
select is(
    ops.count_usage() - 'database_rows',
    (
        select jsonb_build_object(
            'egress_bytes', sum(octet_length(payload::text)), 'realtime_messages', 6
        )
        from realtime.messages
        where topic = 'signals:x'
    ),
    'three messages sent and received, with their bytes'
);
select ok(pg_temp.used('database_rows') >= 42, 'rows written since the count before');
select is(
    ops.count_usage() -> 'realtime_messages', '0', 'and nothing is counted twice'
);

insert into ops.usage (meter, day, amount) values ('redis_bytes', pg_temp.days_ago(401), 1);
insert into ops.usage_reporters (reporter, reported_at)
values ('functions-old', now() - interval '8 days'), ('functions-new', now() - interval '6 days');
select ops.count_usage();
select is_empty(
    'select from ops.usage where day < (now() at time zone ''UTC'')::date - 400',
    'days past their retention are gone'
);
select results_eq(
    'select reporter from ops.usage_reporters order by reporter',
    array['functions-new', 'postgres'], 'and reporters that are silent for a week'
);

select * from finish();
rollback;
