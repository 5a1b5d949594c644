-- Reading the log: by source, time, level, run, trader, instrument and text; what is not known is
-- refused; users see nothing.
begin;
select plan(27);

delete from ops.function_logs;
delete from ops.run_errors;
select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select tap.emit_at(tap.slot(), '[]', jsonb_build_object('errors', jsonb_build_array(
    jsonb_build_object('trader_id', :trader, 'code', 'InvalidRule', 'message', 'expected more')
)));
delete from ops.function_logs;
insert into ops.function_logs (logged_at, source, level, event, run_id, trader_id, symbol, fields)
values
    (now() - interval '5 min', 'collector', 'info', 'a', null, null, 'BTCUSDT', '{"n": 1}'),
    (now() - interval '4 min', 'execute_traders', 'debug', 'b', 7, null, null, '{}'),
    (now() - interval '3 min', 'execute_traders', 'warn', 'c', 7, 3, null, '{"code": "Stale"}'),
    (now() - interval '2 min', 'a_new_one', 'error', 'd', 8, null, 'ETHUSDT', '{"x": {"y": 1}}');

create function pg_temp.events(wanted jsonb)
returns text
language sql
as $$
    select string_agg(event, ' ' order by logged_at) from ops.read_logs(wanted);
$$;
select is(pg_temp.events('{}'), 'a b c d trader_failed', 'all, and failed traders');
select is(pg_temp.events('{"limit": 2}'), 'd trader_failed', 'the newest');
select is(pg_temp.events('{"sources": ["collector", "a_new_one"]}'), 'a d', 'by source');
select is(pg_temp.events('{"level": "warn"}'), 'c d trader_failed', 'a level and above');
select is(pg_temp.events('{"level": "error"}'), 'd', 'errors');
select is(pg_temp.events('{"level": "debug"}'), 'a b c d trader_failed', 'every level');
select is(pg_temp.events('{"run_ids": [7]}'), 'b c', 'a run');
select is(pg_temp.events('{"run_ids": [7, 8]}'), 'b c d', 'runs');
select is(pg_temp.events('{"trader_ids": [3]}'), 'c', 'a trader');
select is(
    pg_temp.events(jsonb_build_object('trader_ids', jsonb_build_array(:trader))), 'trader_failed',
    'a trader that failed'
);
select is(pg_temp.events('{"symbols": ["BTCUSDT"]}'), 'a', 'an instrument');
select is(pg_temp.events('{"grep": "code=St.le"}'), 'c', 'text as it is printed');
select is(pg_temp.events('{"grep": "code=(Stale|InvalidRule)"}'), 'c trader_failed', 'alternatives');
select is(pg_temp.events('{"grep": "symbol=E"}'), 'd', 'the instrument is part of the text');
select is(
    pg_temp.events('{"exclude": ["Stale", "^collector"]}'), 'b d trader_failed',
    'text that must not be there'
);
select is(
    pg_temp.events(jsonb_build_object(
        'since', now() - interval '4 min', 'until', now() - interval '2 min'
    )),
    'b c', 'from an instant, before another'
);
select is(
    pg_temp.events(jsonb_build_object('after', jsonb_build_object(
        'lines', (select id from ops.function_logs where event = 'b'),
        'errors', (select max(id) from ops.run_errors)
    ))),
    'c d', 'after ids'
);
select is(pg_temp.events('{"sources": ["schedules"]}'), null, 'a known source without lines');
select throws_ok(
    $$ select * from ops.read_logs('{"sources": ["exec"]}') $$, 'PT400',
    'expected a function or another source, was exec'
);
select throws_ok(
    $$ select * from ops.read_logs('{"grep": "["}') $$,
    'PT400',
    'expected a regular expression, was ''['': brackets [] not balanced'
);
select throws_ok(
    $$ select * from ops.read_logs('{"grep": "a", "exclude": ["b", "("]}') $$,
    'PT400',
    'expected a regular expression, was ''('': parentheses () not balanced'
);
select throws_ok(
    $$ select * from ops.read_logs('{"level": "loud"}') $$, 'PT400',
    'expected debug, info, warn or error, was loud'
);
select throws_ok(
    $$ select * from ops.read_logs('{"runid": 3}') $$, 'PT400', 'expected a filter, was runid'
);
select is(
    pg_temp.events($${"grep": "x' or 'a' = 'a"}$$), null, 'quotes are only text'
);
select is(
    (select string_agg(source || ' ' || lines_count || ' ' || problems_count, ', ' order by source)
    from ops.list_log_sources() where lines_count > 0),
    'a_new_one 1 1, collector 1 0, execute_traders 3 2', 'sources are counted'
);

select tap.act_as_role('authenticated');
select throws_ok($$ select * from ops.read_logs('{}') $$, '42501');
reset role;
select tap.act_as_role('anon');
select throws_ok($$ select * from ops.log_lines $$, '42501');
reset role;

select * from finish();
rollback;
