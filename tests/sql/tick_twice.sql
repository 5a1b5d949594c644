-- A tick makes the slots that are owed; a second one at the same moment changes nothing.
begin;
select plan(8);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as minute_trader, tap.new_trader(:'ann', "interval" => '5m')
\gset
update public.traders set enabled_at = tap.slot(2) where user_id = :'ann';

select ops.tick(tap.slot() + interval '3 milliseconds') as first
\gset
select results_eq(
    $$ select closed_at, origin from ops.runs where "interval" = '1m' order by closed_at $$,
    $$ values
        (tap.slot(2), 'backfill'), (tap.slot(1), 'live'), (tap.slot(0), 'live') $$,
    'every close since the trader was enabled has a slot'
);
select ok(
    (
        select bool_and(ops.is_close('5m', closed_at)) from ops.runs where "interval" = '5m'
    ) is not false,
    'five-minute slots are closes of five minutes'
);
select is(
    (:'first'::jsonb ->> 'opened')::bigint, (select count(*) from ops.runs), 'it says how many'
);
create temporary table before as select * from ops.runs;
select ops.tick(tap.slot() + interval '40 milliseconds') as second
\gset
select is((:'second'::jsonb ->> 'opened')::integer, 0, 'the second tick opens none');
select set_eq('select * from ops.runs', 'select * from before', 'and changes none');

update public.traders set enabled = false where id = :minute_trader;
select ops.tick(tap.slot() + interval '1 minute');
select is_empty(
    $$ select from ops.runs where "interval" = '1m' and closed_at > tap.slot() $$,
    'no slot for an interval without an enabled trader'
);
update ops.settings set value = '1' where name = 'shard_traders_max';
update public.traders set "interval" = '1h', enabled_at = tap.slot() - interval '1 day';
update public.traders set enabled = true, enabled_at = tap.slot() - interval '1 day';
select ops.tick(date_trunc('hour', now()));
select results_eq(
    $$
    select shard, shard_count from ops.runs
    where "interval" = '1h' and closed_at = date_trunc('hour', now()) order by shard
    $$,
    $$ values (0, 2), (1, 2) $$,
    'many traders make several shards'
);
update ops.settings set value = '10000' where name = 'shard_traders_max';
select public.open_slot('binance', '1h', tap.ms(date_trunc('hour', now()))) as reopened
\gset
select is(
    jsonb_array_length(:'reopened'::jsonb -> 'runs'), 2, 'a slot keeps its number of shards'
);

select * from finish();
rollback;
