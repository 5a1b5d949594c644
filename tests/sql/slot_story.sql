-- The story of a slot: which tick named its runs in which request, the answer, runs, errors, log.
begin;
select plan(20);

delete from ops.ticks;
select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders set enabled_at = tap.slot(1) where id = :trader;
update ops.settings set value = 'http://127.0.0.1:9' where name = 'functions_url';
insert into ops.local_secrets (name, value) values ('function_secret', 'a secret of the tests');

select ops.tick(tap.slot() + interval '20 ms') as ticked
\gset
select ok((:'ticked'::jsonb ->> 'request_id') is not null, 'the tick calls');
select is(
    (select array_length(run_ids, 1) from ops.ticks), (:'ticked'::jsonb ->> 'dispatched')::integer,
    'the row of a tick names the runs of its request'
);
select is(
    (select request_id from ops.ticks), (:'ticked'::jsonb ->> 'request_id')::bigint, 'and the request'
);
select is(ops.note_replies(), 0, 'there is no answer yet');
insert into net._http_response (id, status_code, content, timed_out, created)
values ((:'ticked'::jsonb ->> 'request_id')::bigint, 200, '{"runs":[],"ms":596.25}', false, now());
select is(
    ops.note_replies(tap.slot() + interval '1 minute'), 1, 'the answer is kept'
);
select is(ops.note_replies(tap.slot() + interval '1 minute'), 0, 'once');
select results_eq(
    'select http_status, function_ms, replied_at is not null from ops.ticks',
    $$ values (200, 596.25::float8, true) $$, 'with its status and what the function says'
);

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
select is(
    (story #>> '{ticks,0,named_of_slot_count}')::integer, 1, 'the tick that named it'
)
from told;
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
