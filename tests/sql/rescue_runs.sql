-- Runs of a holder that fell silent are freed; those beyond hope fail, each with a line in the log.
begin;
select plan(7);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select tap.claim(tap.slot()), tap.claim(tap.slot(1)), tap.claim(tap.slot(2));
update ops.runs set lease_until = now() - interval '1 second' where closed_at <= tap.slot(1);
update ops.runs set attempt = 20 where closed_at = tap.slot(2);
-- A late attempt that fell silent, and a slot whose frames are gone.
select tap.emit_at(tap.slot(3), '[]', '{"complete": false, "missing_instruments": ["X"]}');
select tap.claim(tap.slot(3));
update ops.runs set lease_until = now() - interval '1 second' where closed_at = tap.slot(3);
select public.open_slot('binance', '1m', tap.ms(tap.slot(4)));
update ops.runs set opened_at = now() - interval '121 minutes' where closed_at = tap.slot(4);

select is(ops.rescue_runs(now()), 4, 'four rows change');
select results_eq(
    'select closed_at, status from ops.runs order by closed_at desc',
    $$ values
        (tap.slot(), 'claimed'), (tap.slot(1), 'open'), (tap.slot(2), 'failed'),
        (tap.slot(3), 'finished'), (tap.slot(4), 'failed') $$,
    'the one whose holder is alive is left alone'
);
select is(
    error, 'rescued: test was silent for its whole lease', 'with the reason'
) from ops.runs where closed_at = tap.slot(1);
select results_eq(
    'select event, count(*) from ops.function_logs group by event order by event',
    $$ values ('run_failed', 2::bigint), ('run_rescued', 2::bigint) $$,
    'and a line each'
);
select is(ops.rescue_runs(now()), 0, 'a second look finds nothing to do');
select is(tap.claim(tap.slot(1)) -> 'claimed', 'true', 'a rescued run is free');
select is(tap.claim(tap.slot(2)) ->> 'reason', 'finished', 'a failed one is not');

select * from finish();
rollback;
