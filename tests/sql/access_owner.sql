-- What an owner sees and may do: the own rows, all of them, and no others.
begin;
select plan(7);

select tap.new_user('ann') as ann, tap.new_user('bob') as bob
\gset
select tap.new_trader(:'ann') as ann_trader, tap.new_trader(:'bob') as bob_trader
\gset
select tap.emit_at(tap.slot(), jsonb_build_array(
    tap.signal(:ann_trader, 'BTCUSDT'), tap.signal(:bob_trader, 'BTCUSDT'),
    tap.signal(:bob_trader, 'ETHUSDT')
), jsonb_build_object('overflow', jsonb_build_object(:ann_trader::text, 1, :bob_trader::text, 2)));

select tap.act_as(:'bob');
select results_eq(
    'select distinct user_id from public.signals', array[:'bob'::uuid], 'own signals only'
);
select is((select count(*) from public.signals), 2::bigint, 'all of the own signals');
select results_eq('select id from public.traders', array[:bob_trader::bigint], 'own traders only');
select results_eq(
    'select trader_id from public.trader_versions', array[:bob_trader::bigint], 'own versions only'
);
select results_eq(
    'select rest_count from public.signal_overflows', array[2], 'own overflows only'
);
select lives_ok(
    format('update public.traders set enabled = false where id = %s', :bob_trader),
    'may disable the own trader'
);
select lives_ok(
    format('delete from public.traders where id = %s', :bob_trader),
    'may delete the own trader, its signals and history with it'
);

select * from finish();
rollback;
