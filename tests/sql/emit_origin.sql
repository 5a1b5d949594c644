-- live, late or backfill: by when the slot was opened and evaluated; backfills notify nobody.
begin;
select plan(5);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
create function pg_temp.origin_of(claim jsonb, trader bigint, age_ms integer) returns text
language plpgsql as $$
begin
    perform tap.emit(
        claim, jsonb_build_array(tap.signal(trader, 'BTCUSDT')),
        jsonb_build_object('evaluated_at_ms', (claim -> 'run' ->> 'closed_at_ms')::bigint + age_ms)
    );
    return (select origin from public.signals order by id desc limit 1);
end
$$;

select ops.open_runs('binance', '1m', array[tap.slot(1), tap.slot(2)], tap.slot(1));
select is(pg_temp.origin_of(tap.claim(tap.slot()), :trader, 10000), 'live', 'within 10 s');
select is(pg_temp.origin_of(tap.claim(tap.slot(1)), :trader, 10001), 'late', 'after 10 s');
select is(
    pg_temp.origin_of(tap.claim(tap.slot(2)), :trader, 400), 'live',
    'opened 60 s after its close is in time'
);
select is(
    pg_temp.origin_of(tap.claim(tap.slot(3)), :trader, 400), 'backfill', 'opened later: a backfill'
);
select results_eq(
    'select signals.origin from ops.outbox inner join public.signals on signals.id = signal_id'
    ' order by outbox.id',
    array['live', 'late', 'live'], 'backfills are not notified'
);

select * from finish();
rollback;
