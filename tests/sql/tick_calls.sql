-- A tick calls trigger_executions once, signed, naming all unfinished runs, oldest first.
begin;
select plan(14);

insert into ops.local_secrets (name, value) values ('function_secret', 'a-secret-of-the-tests');
update ops.settings set value = 'http://127.0.0.1:9/functions/v1' where name = 'functions_url';
delete from net.http_request_queue;
select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders set enabled_at = tap.slot(5);

-- Slot 4: finished. Slot 3: claimed by somebody alive. Slot 2: claimed, and silent. Slot 5:
-- finished two minutes ago with an instrument missing.
select tap.emit_at(tap.slot(4));
select tap.claim(tap.slot(3)), tap.claim(tap.slot(2));
select tap.emit_at(
    tap.slot(5), '[]', '{"complete": false, "missing_instruments": ["ETHUSDT"]}'
);
update ops.runs set lease_until = now() - interval '1 second' where closed_at = tap.slot(2);
update ops.runs set finished_at = now() - interval '2 minutes' where closed_at = tap.slot(5);

select ops.tick(now()) as tick
\gset
select is((select count(*) from net.http_request_queue), 1::bigint, 'one call');
select * from net.http_request_queue
\gset call_
select convert_from(body, 'UTF8') as text from net.http_request_queue
\gset body_
select is(
    :'call_url'::text, 'http://127.0.0.1:9/functions/v1/trigger_executions', 'to the function'
);
select is(:'call_method'::text, 'POST', 'posted');
select is(:'call_timeout_milliseconds'::integer, 30000, 'with 30 s to answer');
select is(
    :'call_headers'::jsonb ->> 'x-closebell-signature',
    encode(extensions.hmac(
        (:'call_headers'::jsonb ->> 'x-closebell-timestamp') || '.' || :'body_text',
        'a-secret-of-the-tests', 'sha256'
    ), 'hex'),
    'signed over time stamp and the very bytes of the body'
);
select cmp_ok(
    abs((:'call_headers'::jsonb ->> 'x-closebell-timestamp')::bigint
        - extract(epoch from clock_timestamp())),
    '<', 60::numeric, 'with the time of now'
);
select is(
    (
        select jsonb_agg(run -> 'closed_at_ms')
        from jsonb_array_elements(:'body_text'::jsonb -> 'runs') as run
    ),
    jsonb_build_array(
        tap.ms(tap.slot(5)), tap.ms(tap.slot(2)), tap.ms(tap.slot(1)), tap.ms(tap.slot())
    ),
    'open, silent and incomplete runs, oldest first; not the finished, not the held'
);
select set_eq(
    format(
        'select distinct jsonb_object_keys(run)'
        ' from jsonb_array_elements(%L::jsonb -> ''runs'') as run',
        :'body_text'
    ),
    array['run_id', 'venue', 'interval', 'closed_at_ms', 'shard'],
    'each with what the function needs'
);
select is((:'tick'::jsonb ->> 'dispatched')::integer, 4, 'and says how many');

-- The next late attempt is due after twice the time.
update ops.runs
set attempt = 3, finished_at = now() - interval '2 minutes'
where closed_at = tap.slot(5);
select is(
    (select count(*) from jsonb_array_elements(ops.list_claimable_runs(now()))), 3::bigint,
    'late attempts are spaced: the fourth is not due after two minutes'
);

-- A backlog does not keep the newest close waiting.
update ops.settings set value = '2' where name = 'dispatch_runs_max';
update ops.runs set status = 'open', lease_until = null where finished_at is null;
select is(
    (
        select jsonb_agg(run -> 'closed_at_ms')
        from jsonb_array_elements(ops.list_claimable_runs(tap.slot())) as run
    ),
    jsonb_build_array(tap.ms(tap.slot(1)), tap.ms(tap.slot())),
    'the newest slots have a place in every call'
);

delete from net.http_request_queue;
update ops.settings set value = 'off' where name = 'signals_enabled';
select ops.tick(now());
select is_empty('select from net.http_request_queue', 'the kill switch calls nobody');
update ops.settings set value = 'on' where name = 'signals_enabled';

update ops.settings set value = '' where name = 'functions_url';
delete from ops.runs;
select ops.tick(now());
select isnt_empty('select from ops.runs', 'slots are made even if the call cannot be');
select results_eq(
    $$ select level, fields ->> 'message' from ops.function_logs where event = 'dispatch_failed' $$,
    $$ values ('error', 'expected functions_url to be set, was empty') $$,
    'and the log says why'
);

select * from finish();
rollback;
