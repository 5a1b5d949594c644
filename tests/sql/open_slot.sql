-- open_slot is idempotent, knows what it may refuse, and names the argument (PT400).
begin;
select plan(16);

select tap.new_user('ann') as ann
\gset
select is(
    public.open_slot('binance', '1m', tap.ms(tap.slot())), '{"runs": []}',
    'without an enabled trader there is nothing to do'
);
select tap.new_trader(:'ann') as trader
\gset
select public.open_slot('binance', '1m', tap.ms(tap.slot())) as opened
\gset
select is(
    :'opened'::jsonb,
    jsonb_build_object('runs', jsonb_build_array(jsonb_build_object(
        'run_id', (select id from ops.runs), 'shard', 0, 'status', 'open'
    ))),
    'one run'
);
select is(
    public.open_slot('binance', '1m', tap.ms(tap.slot())), :'opened'::jsonb, 'again: the same'
);
select is(origin, 'live', 'opened within a minute of its close') from ops.runs;
select lives_ok(
    format('select public.open_slot(''binance'', ''1m'', %s)', tap.ms(tap.slot(10))),
    'an older slot'
);
select is(origin, 'backfill', 'is a backfill') from ops.runs where closed_at = tap.slot(10);

select is(tap.hint_of('select public.open_slot(''nyse'', ''1m'', 60000)'), 'PT400 venue');
select is(tap.hint_of('select public.open_slot(null, ''1m'', 60000)'), 'PT400 venue');
select is(tap.hint_of('select public.open_slot(''binance'', ''7m'', 60000)'), 'PT400 interval');
select is(tap.hint_of('select public.open_slot(''binance'', ''1m'', 60001)'), 'PT400 closed_at_ms');
select is(tap.hint_of('select public.open_slot(''binance'', ''1m'', null)'), 'PT400 closed_at_ms');
select is(
    tap.hint_of(format(
        'select public.open_slot(''binance'', ''1m'', %s)', tap.ms(tap.slot()) + 120000
    )),
    'PT400 closed_at_ms', 'a future close'
);
select is(
    tap.hint_of('select public.open_slot(''binance'', ''1m'', 9000000000000000000)'),
    'PT400 closed_at_ms', 'microseconds instead of milliseconds'
);
select is(
    tap.hint_of(format('select public.open_slot(''binance'', ''1m'', %s, -1)', tap.ms(tap.slot()))),
    'PT404 trader_id', 'an unknown trader'
);
select is(
    tap.hint_of(format(
        'select public.open_slot(''binance'', ''5m'', %s, %s)',
        tap.ms(date_bin('5 minutes', now(), 'epoch')), :trader
    )),
    'PT404 trader_id', 'a trader of another interval'
);
select is_empty(
    $$ select from ops.runs where closed_at not in (tap.slot(), tap.slot(10)) $$,
    'what was refused made no run'
);

select * from finish();
rollback;
