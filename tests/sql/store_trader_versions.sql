-- store_trader returns the row; a change of what is evaluated makes a version, others do not.
begin;
select plan(14);

select tap.new_user('ann') as ann
\gset
select public.store_trader(
    :'ann',
    '{"name": " Oversold ", "rule": "rsi(14) < 30", "venue": "binance", "interval": "5m",
      "trigger": "enter", "universe": ["BTCUSDT", "币安人生USDT"], "cooldown_s": 600,
      "description": "d", "enabled": true}'
) as created
\gset
select is(:'created'::jsonb ->> 'name', 'Oversold', 'the name is trimmed');
select is(
    :'created'::jsonb -> 'universe', '["BTCUSDT", "币安人生USDT"]', 'symbols as the venue writes'
);
select is((:'created'::jsonb ->> 'version')::integer, 1, 'version 1');
select is(:'created'::jsonb ->> 'user_id', :'ann', 'of this user');
select matches(
    :'created'::jsonb ->> 'enabled_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$',
    'times are RFC 3339 in UTC'
);

-- As some REST servers pass it: a JSON string that holds the object.
select public.store_trader(
    :'ann',
    to_jsonb(jsonb_build_object('id', :'created'::jsonb -> 'id', 'name', 'New name')::text)
) as renamed
\gset
select is((:'renamed'::jsonb ->> 'version')::integer, 1, 'a new name is no new version');
select is(:'renamed'::jsonb ->> 'name', 'New name', 'but it is stored');
select is(:'renamed'::jsonb ->> 'rule', 'rsi(14) < 30', 'what was left out stays');

select public.store_trader(
    :'ann',
    jsonb_build_object('id', :'created'::jsonb -> 'id', 'rule', 'rsi(14) < 20', 'universe', null)
) as changed
\gset
select is((:'changed'::jsonb ->> 'version')::integer, 2, 'a new rule is a new version');
select is(:'changed'::jsonb -> 'universe', 'null', 'null is the whole universe');
select results_eq(
    'select version, rule from public.trader_versions order by version',
    $$ values (1, 'rsi(14) < 30'), (2, 'rsi(14) < 20') $$,
    'both versions are on record'
);
select is(
    (select enabled_at from public.traders where id = (:'created'::jsonb ->> 'id')::bigint),
    (:'created'::jsonb ->> 'enabled_at')::timestamptz,
    'a new rule leaves it enabled since when it was'
);

update public.traders
set enabled_at = now() - interval '1 day', error_count = 3, last_error = 'e'
where id = (:'created'::jsonb ->> 'id')::bigint;
select public.store_trader(
    :'ann', jsonb_build_object('id', :'created'::jsonb -> 'id', 'interval', '1m')
) as moved
\gset
select is(
    (:'moved'::jsonb ->> 'enabled_at')::timestamptz, now(),
    'on another interval nothing is owed from before'
);
select is(
    (:'moved'::jsonb ->> 'error_count')::integer, 0, 'errors of an old version are forgotten'
);

select * from finish();
rollback;
