-- The table is the truth: without a working doorbell signals are stored, and the log says so.
begin;
select plan(4);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
create or replace function realtime.send(
    payload jsonb, event text, topic text, private boolean default true
)
returns void language plpgsql as $$ begin raise 'the bell is broken'; end $$;
select is(
    tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(:trader, 'BTCUSDT'))) ->> 'inserted', '1'
);
select results_eq(
    $$
    select level, fields ->> 'message' from ops.function_logs where event = 'broadcast_failed'
    $$,
    $$ values ('error', 'the bell is broken') $$
);
drop function realtime.send(jsonb, text, text, boolean);
select is(
    tap.emit_at(tap.slot(1), jsonb_build_array(tap.signal(:trader, 'BTCUSDT'))) ->> 'inserted', '1'
);
select results_eq(
    $$
    select level, fields ->> 'signals' from ops.function_logs where event = 'broadcast_skipped'
    $$,
    $$ values ('warn', '1') $$
);

select * from finish();
rollback;
