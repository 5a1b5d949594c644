-- Signals, overflows, logs and runs are written by nobody but the routines.
begin;
select plan(6);

select tap.new_user('eve') as eve
\gset
select tap.new_trader(:'eve') as trader
\gset
select tap.claim(tap.slot()) as claim
\gset

select tap.act_as(:'eve');
select throws_ok(
    format(
        'insert into public.signals (user_id, trader_id, run_id, rule_version, venue, instrument,'
        ' "interval", closed_at, trigger, origin, feed, price, "values", frame_revision,'
        ' data_age_ms) values (%L, %s, 1, 1, ''binance'', ''BTCUSDT'', ''1m'', %L, ''while'','
        ' ''live'', ''live'', 1, ''{}'', 1, 0)', :'eve', :trader, tap.slot()
    ),
    '42501'
);
select throws_ok('delete from public.signals', '42501');
select throws_ok('delete from public.signal_overflows', '42501');
select throws_ok(
    format(
        'select public.emit_signals(%s, %L, ''{}'')',
        (:'claim'::jsonb -> 'run' ->> 'run_id'), (:'claim'::jsonb ->> 'claim_token')
    ),
    '42501', null, 'a stolen claim token is of no use to a user'
);
select throws_ok('select public.claim_run(1, ''eve'')', '42501');
select throws_ok('select * from ops.runs', '42501');

select * from finish();
rollback;
