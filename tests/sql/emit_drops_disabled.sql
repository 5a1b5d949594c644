-- `enabled` is read when signals are stored: what was disabled or deleted meanwhile is dropped.
begin;
select plan(5);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as stays, tap.new_trader(:'ann') as disabled,
    tap.new_trader(:'ann') as deleted, tap.new_trader(:'ann') as moved
\gset
select jsonb_build_array(
    tap.signal(:stays, 'BTCUSDT'), tap.signal(:disabled, 'BTCUSDT'),
    tap.signal(:deleted, 'BTCUSDT'), tap.signal(:moved, 'BTCUSDT')
) as signals, tap.claim(tap.slot()) as claim
\gset
select is(jsonb_array_length(:'claim'::jsonb -> 'traders'), 4, 'all were enabled at the claim');

select tap.act_as(:'ann');
update public.traders set enabled = false where id = :disabled;
delete from public.traders where id = :deleted;
reset role;
update public.traders set "interval" = '5m' where id = :moved;

select is(
    tap.emit(
        :'claim', :'signals',
        jsonb_build_object('overflow', jsonb_build_object(:disabled::text, 5, :deleted::text, 5))
    ),
    '{"inserted": 1, "duplicates": 0, "cooldown": 0, "disabled": 3, "overflow": 0}',
    'three are dropped and counted'
);
select results_eq(
    'select trader_id from public.signals', array[:stays::bigint], 'one is stored'
);
select is_empty('select from public.signal_overflows', 'no rest of a disabled trader');
select is(
    tap.emit_at(tap.slot(1), jsonb_build_array(tap.signal(:disabled, 'BTCUSDT'))) ->> 'disabled',
    '1', 'nor at any later close'
);

select * from finish();
rollback;
