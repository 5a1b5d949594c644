-- Retention: signals 30 days; runs and logs 7; in batches; what is younger stays.
begin;
select plan(9);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select ops.open_runs(
    'binance', '1m', array(select tap.slot(n) from generate_series(0, 4) as n), tap.slot(4)
);
select tap.emit_at(
    tap.slot(minutes_back),
    jsonb_build_array(tap.signal(:trader, 'BTCUSDT')),
    jsonb_build_object(
        'overflow', jsonb_build_object(:trader::text, 1),
        'errors', jsonb_build_array(
            jsonb_build_object('trader_id', :trader, 'code', 'c', 'message', 'm')
        )
    )
)
from generate_series(4, 0, -1) as minutes_back;
select ops.write_log('info', 'line_written') from generate_series(1, 5);

-- The three oldest of each are past their time.
update public.signals set created_at = now() - interval '30 days 1 hour'
where id in (select id from public.signals order by id limit 3);
update public.signal_overflows
set closed_at = tap.slot() - interval '31 days' - (closed_at - tap.slot())
where closed_at < tap.slot(1);
update ops.runs set opened_at = now() - interval '7 days 1 hour'
where id in (select id from ops.runs order by id limit 3);
update ops.function_logs set logged_at = now() - interval '7 days 1 hour'
where id in (select id from ops.function_logs where event = 'line_written' order by id limit 3);

select is(ops.trim_batch(2), 8, 'a batch: two of each of four tables');
select is(ops.trim_batch(2), 4, 'the next: one of each');
select is(ops.trim_batch(2), 0, 'then there is nothing left to do');
select is((select count(*) from public.signals), 2::bigint, 'signals younger than 30 days stay');
select is((select count(*) from public.signal_overflows), 2::bigint, 'overflows likewise');
select is((select count(*) from ops.runs), 2::bigint, 'runs younger than 7 days stay');
select is((select count(*) from ops.run_errors), 2::bigint, 'errors go with their runs');
select is(
    (select count(*) from ops.function_logs where event = 'line_written'), 2::bigint,
    'lines likewise'
);
select is((select count(*) from ops.outbox), 2::bigint, 'the outbox goes with the signals');

select * from finish();
rollback;
