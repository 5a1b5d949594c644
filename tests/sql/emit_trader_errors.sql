-- A rule that fails is counted, shown to its owner, and disabled after ten in a row; one bad
-- trader never hurts another.
begin;
select plan(15);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as bad, tap.new_trader(:'ann') as good
\gset
create function pg_temp.fail(trader bigint, other bigint, minutes_back integer) returns jsonb
language sql as $$
    select tap.emit_at(
        tap.slot(minutes_back),
        jsonb_build_array(tap.signal(other, 'BTCUSDT')),
        jsonb_build_object('errors', jsonb_build_array(jsonb_build_object(
            'trader_id', trader, 'code', 'InvalidRule', 'message', 'expected a number'
        )))
    );
$$;

select is(
    pg_temp.fail(:bad, :good, 30) ->> 'inserted', '1', 'the other trader''s signal is stored'
);
select results_eq(
    format('select error_count, last_error, enabled from public.traders where id = %s', :bad),
    $$ values (1, 'InvalidRule: expected a number', true) $$,
    'counted, with the text'
);
select results_eq(
    'select trader_id, code, message from ops.run_errors',
    format('values (%s::bigint, ''InvalidRule'', ''expected a number'')', :bad),
    'on record'
);
select is(error_count, 0, 'not for the other') from public.traders where id = :good;

-- The same run tried again, as after a restore: no second count.
update ops.runs set status = 'open', finished_at = null;
select pg_temp.fail(:bad, :good, 30);
select is(error_count, 1, 'once a run') from public.traders where id = :bad;

select pg_temp.fail(:bad, :good, minutes_back) from generate_series(29, 22, -1) as minutes_back;
select is(error_count, 9, 'nine in a row') from public.traders where id = :bad;
select tap.emit_at(tap.slot(21));
select is(error_count, 0, 'one that goes well ends the row') from public.traders where id = :bad;

select pg_temp.fail(:bad, :good, minutes_back) from generate_series(20, 12, -1) as minutes_back;
select is(enabled, true, 'nine again') from public.traders where id = :bad;
-- A late attempt on a few instruments proves nothing.
update ops.runs set complete = false, missing_instruments = '{X}' where closed_at = tap.slot(12);
select tap.emit_at(tap.slot(12), '[]', '{"late": true}');
select is(error_count, 9, 'a late attempt ends no row') from public.traders where id = :bad;
select pg_temp.fail(:bad, :good, 11);
select results_eq(
    format('select enabled, error_count, disabled_reason from public.traders where id = %s', :bad),
    $$ values (
        false, 10,
        'disabled after 10 failed evaluations in a row; the last: InvalidRule: expected a number'
    ) $$,
    'the tenth disables, and says why'
);
select is(enabled, true, 'the other runs on') from public.traders where id = :good;
select is(
    (select count(*) from public.signals where trader_id = :good), 19::bigint,
    'with a signal at every close'
);

-- A signal that cannot be stored is an error of its trader, not of the run.
select is(
    tap.emit_at(tap.slot(5), jsonb_build_array(
        tap.signal(:good, 'AUSDT', '{"price": "NaN"}'),
        tap.signal(:good, 'BUSDT', '{"values": {"close": "x"}}'),
        tap.signal(:good, 'C USDT'),
        tap.signal(:good, 'DUSDT', '{"rule_version": 99}'),
        tap.signal(:good, 'EUSDT', '{"price": "1.5e-05"}')
    )) ->> 'inserted',
    '1', 'what is whole is stored'
);
select is(price, 0.000015, 'exactly') from public.signals where instrument = 'EUSDT';
select is(error_count, 1, 'the rest counts as one error') from public.traders where id = :good;

select * from finish();
rollback;
