-- Instruments that were missing are evaluated when they come, under the same slot, as late.
begin;
select plan(10);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select is(
    tap.emit_at(
        tap.slot(), jsonb_build_array(tap.signal(:trader, 'BTCUSDT')),
        '{"complete": false, "missing_instruments": ["ETHUSDT", "SOLUSDT"]}'
    ) ->> 'inserted',
    '1', 'what is there is not kept waiting'
);
select results_eq(
    'select status, complete, missing_instruments from ops.runs',
    $$ values ('finished', false, '{ETHUSDT,SOLUSDT}'::text[]) $$,
    'the run is finished, and remembers what was missing'
);
select is(
    public.open_slot('binance', '1m', tap.ms(tap.slot())) -> 'runs' -> 0 ->> 'status', 'incomplete',
    'whoever opens the slot again is told'
);
select tap.claim(tap.slot()) as claim
\gset
select is(
    tap.emit(
        :'claim', jsonb_build_array(tap.signal(:trader, 'ETHUSDT')),
        '{"late": true, "frame_revision": 2, "complete": false, "missing_instruments": ["SOLUSDT"]}'
    ) ->> 'inserted',
    '1', 'one came'
);
select results_eq(
    'select instrument, origin, frame_revision from public.signals order by id',
    $$ values ('BTCUSDT', 'live', 1), ('ETHUSDT', 'late', 2) $$,
    'labelled late'
);
select is((select count(*) from ops.outbox), 2::bigint, 'late signals are notified too');
select is(signals_count, 2, 'counted with the first') from ops.runs;
select tap.emit_at(tap.slot(), '[]', '{"late": true, "frame_revision": 3}');
select results_eq(
    'select complete, missing_instruments from ops.runs', $$ values (true, '{}'::text[]) $$,
    'complete in the end'
);
select is(
    tap.claim(tap.slot()) ->> 'reason', 'finished', 'then it is over'
);
select throws_ok(
    format('select tap.emit(%L, ''[]'', ''{"late": "yes"}'')', tap.claim(tap.slot(1))),
    'PT400', null, 'an outcome of another shape is refused'
);

select * from finish();
rollback;
