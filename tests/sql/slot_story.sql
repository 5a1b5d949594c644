-- The story of a slot: which tick named its runs in which request, the answer, runs, incidents,
-- errors, log.
begin;
select plan(17);

delete from ops.schedule_runs;
select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders set enabled_at = tap.slot(1) where id = :trader;
update ops.settings set value = 'http://127.0.0.1:9' where name = 'functions_url';
insert into ops.local_secrets (name, value) values ('function_secret', 'a secret of the tests');

-- As ops.run_schedule does it, which commits; and what begins meanwhile, or before, or later.
create function pg_temp.tick_at(at timestamptz) returns bigint language sql as $$
    insert into ops.schedule_runs (schedule, started_at, status) values ('tick', at, 'running');
    select ops.end_run(id, null, (select to_jsonb(t) from (select ops.tick(at)) as t))
    from ops.schedule_runs where started_at = at;
    select request_id from ops.schedule_runs where started_at = at;
$$;
insert into ops.schedule_runs (schedule, started_at, ended_at, status, error)
values
    ('tick', tap.slot() - interval '1 second', now(), 'failed', 'before'),
    ('tick', tap.slot() + interval '59 seconds', now(), 'skipped', 'paused: for the test'),
    ('tick', tap.slot() + interval '61 seconds', now(), 'skipped', 'later'),
    ('trim', tap.slot() + interval '1 second', now(), 'failed', 'another schedule');
select pg_temp.tick_at(tap.slot() + interval '20 ms') as request
\gset
select is(
    (select jsonb_array_length(ops.slot_story('binance', '1m', tap.slot()) -> 'ticks')), 2,
    'its ticks: those that named its runs, and those of the minute after it'
);
select results_eq(
    $$
    select t ->> 'http_status', t ->> 'http_error', t ->> 'function_ms'
    from jsonb_array_elements(ops.slot_story('binance', '1m', tap.slot()) -> 'ticks') as t
    where (t ->> 'request_id')::bigint is not null
    $$,
    'values (null, null, null)', 'there is no answer yet'
);
insert into net._http_response (id, status_code, content, timed_out, created)
values (:request, 200, '{"runs":[],"ms":596.25}', false, now());

select tap.emit_at(tap.slot(), '[]', jsonb_build_object(
    'complete', false,
    'missing_instruments', '["ETHUSDT"]'::jsonb,
    'errors', jsonb_build_array(
        jsonb_build_object('trader_id', :trader, 'code', 'InvalidRule', 'message', 'expected …')
    )
));
select public.write_logs(jsonb_build_array(
    jsonb_build_object(
        'source', 'execute_traders', 'level', 'info', 'event', 'run_finished',
        'run_id', (select id from ops.runs where closed_at = tap.slot())
    ),
    jsonb_build_object(
        'source', 'collector', 'level', 'warning', 'event', 'poke_failed',
        'logged_at', tap.slot() + interval '1 second',
        'fields', jsonb_build_object('interval', '1m', 'closed_at_ms', tap.ms(tap.slot()))
    ),
    jsonb_build_object('source', 'collector', 'level', 'info', 'event', 'of_another')
));
create temporary table told as
select ops.slot_story('binance', '1m', tap.slot()) as story;
select is(story -> 'slot' ->> 'interval', '1m', 'the slot') from told;
select is(jsonb_array_length(story -> 'runs'), 1, 'its run') from told;
select is(story #>> '{runs,0,missing_instruments,0}', 'ETHUSDT', 'late instruments') from told;
select is(story #>> '{runs,0,stats,load_ms}', '1.5', 'stages') from told;
select results_eq(
    $$
    select
        t ->> 'status', (t ->> 'opened_count')::integer, (t ->> 'named_count')::integer,
        (t ->> 'named_of_slot_count')::integer, (t ->> 'http_status')::integer,
        (t ->> 'function_ms')::float8, t ->> 'error'
    from told
    cross join jsonb_array_elements(story -> 'ticks') as t
    $$,
    $$ values
        ('succeeded', 2, 2, 1, 200, 596.25::float8, null),
        ('skipped', 0, 0, 0, null, null, 'paused: for the test') $$,
    'the tick that made and named it, what was answered, and the tick that was skipped'
);
select is(story #>> '{errors,0,code}', 'InvalidRule', 'the trader that failed') from told;
select is(
    (select string_agg(line ->> 'event', ' ') from jsonb_array_elements(story -> 'lines') as line),
    'poke_failed run_finished', 'lines of its runs and of its close'
)
from told;
select is(
    (ops.slot_story('binance', '1m', tap.slot(), 1) ->> 'lines_count')::integer, 2,
    'lines are counted though not shown'
);
select is(
    ops.slot_story('binance', '1m', tap.slot(500)) -> 'runs', '[]', 'a slot without a run is told'
);

-- Incidents: only those of its venue and interval whose span holds its close.
select ops.raise_incident(
    kind, subject, 'warn', message, jsonb_build_object('oldest', oldest, 'newest', newest)
)
from (
    values
        ('slot_missing', 'binance 1m', 'of it', tap.slot(2), tap.slot()),
        ('slot_missing', 'binance 5m', 'of another interval', tap.slot(2), tap.slot()),
        ('feed_stale', 'binance 1m', 'of another kind', tap.slot(2), tap.slot())
) as raised (kind, subject, message, oldest, newest);
select results_eq(
    $$
    select slot.place, incident ->> 'message', incident ->> 'severity'
    from (values (-1), (0), (2), (3)) as slot (place)
    cross join jsonb_array_elements(
        ops.slot_story('binance', '1m', tap.slot(slot.place)) -> 'incidents'
    ) as incident
    order by 1
    $$,
    $$ values (0, 'of it', 'warn'), (2, 'of it', 'warn') $$,
    'the incident that names the slot'
);
update ops.settings set value = '' where name = 'functions_url';
update ops.runs set status = 'open', finished_at = null;
select pg_temp.tick_at(tap.slot(1) + interval '20 ms');
select results_eq(
    $$
    select t -> 'named_count', t ->> 'error'
    from jsonb_array_elements(ops.slot_story('binance', '1m', tap.slot(1)) -> 'ticks') as t
    order by t ->> 'fired_at' limit 1
    $$,
    $$ values ('0'::jsonb, 'expected functions_url to be set, was empty') $$,
    'a tick that could not call says why'
);

select results_eq(
    'select venue, "interval", closed_at from ops.find_slot()',
    $$ values ('binance', '1m', tap.slot()) $$, 'the newest slot'
);
select results_eq(
    format('select closed_at from ops.find_slot(%s)', (select max(id) from ops.runs where closed_at = tap.slot())),
    $$ values (tap.slot()) $$, 'the slot of a run'
);
select throws_ok('select ops.find_slot(0)', 'PT404', 'expected run 0, found none');
select throws_ok(
    $$ select ops.find_slot(null, null, '1h', '2026-11-21 17:01Z') $$, 'PT400',
    'expected a close of 1h, was 2026-11-21T17:01:00Z'
);

select * from finish();
rollback;
