-- Processes report what they used since their start: counted once, however often, in whatever
-- order; wrong reports are refused and add nothing; nobody but the service may report.
begin;
select plan(20);

create function pg_temp.report(reporter text, totals text)
returns jsonb
language sql
as $$
    select public.add_usage(jsonb_build_array(
        jsonb_build_object('reporter', reporter, 'totals', totals::jsonb)
    ));
$$;
create function pg_temp.used(meter text)
returns numeric
language sql
as $$
    select usage.amount
    from ops.usage
    where usage.meter = used.meter and usage.day = (now() at time zone 'UTC')::date;
$$;

select tap.act_as_role('service_role');
select is(
    pg_temp.report('functions-a', '{"redis_commands": 5, "redis_bytes": 700.5}'),
    '{"reporters": 1}', 'a report is taken'
);
select pg_temp.report('functions-b', '{"redis_commands": 2}');
reset role;
select is(pg_temp.used('redis_commands'), 7::numeric, 'processes add up');
select is(pg_temp.used('redis_bytes'), 700.5, 'fractions, too');

select pg_temp.report('functions-a', '{"redis_commands": 5, "redis_bytes": 700.5}');
select is(pg_temp.used('redis_commands'), 7::numeric, 'repeated: adds nothing');
select pg_temp.report('functions-a', '{"redis_commands": 12}');
select is(pg_temp.used('redis_commands'), 14::numeric, 'the next adds the difference');
select pg_temp.report('functions-a', '{"redis_commands": 9}');
select is(pg_temp.used('redis_commands'), 14::numeric, 'one that comes late adds nothing');
select pg_temp.report('functions-a', '{"redis_commands": 13}');
select is(pg_temp.used('redis_commands'), 15::numeric, 'nor does it turn the count back');
select is(
    public.add_usage('[
        {"reporter": "collector-x", "totals": {"redis_commands": 3, "collector_seconds": 60}},
        {"reporter": "collector-x", "totals": {"redis_commands": 4}},
        {"reporter": "functions-b", "totals": {"redis_commands": 3}}
    ]'),
    '{"reporters": 3}', 'several at once, one of them twice'
);
select is(pg_temp.used('redis_commands'), 20::numeric, 'each is counted to its highest');
select is(public.add_usage('[]'), '{"reporters": 0}', 'none');
select is(
    public.add_usage(to_jsonb('[{"reporter": "functions-c", "totals": {}}]'::text)),
    '{"reporters": 1}', 'as a JSON string, and with nothing used'
);

select throws_ok(
    $$ select pg_temp.report('functions-a', '{"dollars": 1}') $$, 'PT400',
    'expected a meter of ops.meters that adds up, with an amount of 0 to 1e15, was dollars: 1'
);
select throws_ok(
    $$ select pg_temp.report('functions-a', '{"redis_commands": -1}') $$, 'PT400'
);
select throws_ok(
    $$ select pg_temp.report('functions-a', '{"redis_commands": "many"}') $$, 'PT400'
);
select throws_ok(
    $$ select pg_temp.report('functions-a', '{"database_bytes": 1}') $$, 'PT400',
    null, 'a level is not reported'
);
select throws_ok($$ select pg_temp.report('postgres', '{"redis_commands": 1}') $$, 'PT400');
select throws_ok(
    $$
    select public.add_usage((
        select jsonb_agg('{"reporter": "functions-a", "totals": {}}'::jsonb)
        from generate_series(1, 21)
    ))
    $$,
    'PT400', 'expected at most 20 reports, was 21'
);
select is(pg_temp.used('redis_commands'), 20::numeric, 'what is refused adds nothing');

select tap.act_as_role('anon');
select throws_ok($$ select public.add_usage('[]') $$, '42501', null, 'not for anybody');
select tap.act_as_role('authenticated');
select throws_ok($$ select public.add_usage('[]') $$, '42501', null, 'nor for users');
reset role;

select * from finish();
rollback;
