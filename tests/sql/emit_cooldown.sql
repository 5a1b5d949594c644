-- After a signal of an instrument the next is stored cooldown_s later, and not before.
begin;
select plan(8);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann', cooldown_s => 180) as trader, tap.new_trader(:'ann') as eager
\gset
create function pg_temp.emit_btc(trader bigint, minutes_back integer) returns jsonb
language sql as $$
    select tap.emit_at(tap.slot(minutes_back), jsonb_build_array(tap.signal(trader, 'BTCUSDT')));
$$;

select is(pg_temp.emit_btc(:trader, 10) ->> 'inserted', '1', 'the first');
select is(pg_temp.emit_btc(:trader, 9) ->> 'cooldown', '1', 'a minute later: cooldown');
select is(pg_temp.emit_btc(:trader, 8) ->> 'cooldown', '1', 'two minutes later: cooldown');
select is(pg_temp.emit_btc(:trader, 7) ->> 'inserted', '1', 'three minutes later: stored');
select is(
    tap.emit_at(tap.slot(6), jsonb_build_array(
        tap.signal(:trader, 'ETHUSDT'), tap.signal(:trader, 'BTCUSDT'),
        tap.signal(:eager, 'BTCUSDT')
    )),
    '{"inserted": 2, "duplicates": 0, "cooldown": 1, "disabled": 0, "overflow": 0}',
    'counted per instrument and trader'
);
select is(
    pg_temp.emit_btc(:trader, 11) ->> 'inserted', '1',
    'a late slot is judged by what was before it, not by what came after'
);
select is(
    tap.emit_at(tap.slot(2), jsonb_build_array(
        tap.signal(:trader, 'BTCUSDT'), tap.signal(:trader, 'BTCUSDT', '{"trigger": "enter"}')
    )) ->> 'cooldown',
    '1', 'of two in the same outcome the second is in the cooldown of the first'
);
select results_eq(
    format(
        'select closed_at from public.signals where trader_id = %s and instrument = ''BTCUSDT'''
        ' order by closed_at', :trader
    ),
    $$ values (tap.slot(11)), (tap.slot(10)), (tap.slot(7)), (tap.slot(2)) $$,
    'what is stored'
);

select * from finish();
rollback;
