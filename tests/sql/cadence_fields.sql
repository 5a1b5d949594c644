-- What is a cadence and what is not, for whoever writes it; a change of it is a new version.
begin;
select plan(48);

select is(ops.is_cadence(given.cadence), given.expected, coalesce(given.cadence, 'null'))
from (
    values
        ('close', true), ('every 2 closes', true), ('every 1000 closes', true),
        ('* * * * *', true), ('*/15 0-23/2 1,15 * 1-5', true), ('0 0 29 2 *', true),
        ('5 4 * * 0,7', true), ('0 0 31 2 1', true), ('30 8 * * mon-fri', true),
        ('0 0 1 Jan,JUL-sep/2 *', true), ('0 0 13 * FRI', true),
        ('', false), ('each close', false), ('every 1 closes', false), ('every 0 closes', false),
        ('every 1001 closes', false), ('every 03 closes', false), ('every 3 close', false),
        ('Close', false), ('* * * *', false), ('* * * * * *', false), ('*  * * * *', false),
        ('60 * * * *', false), ('* 24 * * *', false), ('* * 0 * *', false), ('* * * 13 *', false),
        ('* * * * 8', false), ('5/2 * * * *', false), ('*/0 * * * *', false),
        ('*/60 * * * *', false), ('9-5 * * * *', false), ('1,,2 * * * *', false),
        ('0 0 30 2 *', false), ('0 0 30 feb *', false), ('jan * * * *', false),
        ('* * * * monday', false), ('every 5 s', false), ('0 0 31 4,6 *', false), ('-1 * * * *', false),
        (repeat('1,', 60) || '1 * * * *', false)
) as given (cadence, expected);

select tap.new_user('ann') as ann
\gset
select public.store_trader(
    :'ann',
    '{"name": "n", "rule": "close > 0", "venue": "binance", "interval": "5m", "trigger": "enter"}'
) as created
\gset
select is(:'created'::jsonb ->> 'cadence', 'close', 'each close, if nothing is said');
update public.traders set enabled_at = now() - interval '1 day';
select public.store_trader(
    :'ann',
    jsonb_build_object('id', :'created'::jsonb -> 'id', 'cadence', 'every 3 closes')
) as changed
\gset
select is(:'changed'::jsonb ->> 'cadence', 'every 3 closes', 'stored');
select is((:'changed'::jsonb ->> 'version')::integer, 2, 'a new version');
select is(
    (:'changed'::jsonb ->> 'enabled_at')::timestamptz, now(), 'owed from now on, not before'
);
select results_eq(
    'select version, cadence from public.trader_versions order by version',
    $$ values (1, 'close'), (2, 'every 3 closes') $$,
    'both are on record'
);
select is(
    tap.hint_of(format(
        'select public.store_trader(%L, %L)', :'ann',
        jsonb_build_object('id', :'created'::jsonb -> 'id', 'cadence', '61 * * * *')
    )),
    'PT400 cadence', 'another text is refused by name'
);
select is(
    tap.hint_of(format(
        'select public.store_trader(%L, %L)', :'ann',
        jsonb_build_object('id', :'created'::jsonb -> 'id', 'cadence', 3)
    )),
    'PT400 cadence', 'and so is a number'
);

-- The owner may switch it, with the constraint that runs in the owner's name.
select tap.act_as(:'ann');
update public.traders set enabled = false;
update public.traders set enabled = true;
reset role;
select is((select enabled from public.traders), true, 'its owner switches it');

select * from finish();
rollback;
