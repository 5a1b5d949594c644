-- store_trader refuses each bad field by name (PT400, the field in the hint) and stores nothing.
begin;
select plan(27);

select tap.new_user('ann') as ann
\gset
create temporary table wrong (field text, change jsonb);
insert into wrong
values
    ('name', '{"name": ""}'),
    ('name', '{"name": "   "}'),
    ('name', '{"name": 7}'),
    ('name', jsonb_build_object('name', repeat('x', 81))),
    ('rule', '{"rule": ""}'),
    ('rule', '{"rule": null}'),
    ('rule', jsonb_build_object('rule', repeat('x', 2001))),
    ('description', jsonb_build_object('description', repeat('x', 2001))),
    ('venue', '{"venue": "nyse"}'),
    ('interval', '{"interval": "7m"}'),
    ('trigger', '{"trigger": "sometimes"}'),
    ('cooldown_s', '{"cooldown_s": -1}'),
    ('cooldown_s', '{"cooldown_s": 1.5}'),
    ('cooldown_s', '{"cooldown_s": 99999999}'),
    ('universe', '{"universe": []}'),
    ('universe', '{"universe": "BTCUSDT"}'),
    ('universe', '{"universe": ["BTC USDT"]}'),
    ('universe', '{"universe": [1]}'),
    ('enabled', '{"enabled": "yes"}'),
    ('id', '{"id": 1.5}'),
    ('user_id', '{"user_id": "00000000-0000-0000-0000-000000000000"}'),
    ('error_count', '{"error_count": 0}');

select is(
    tap.hint_of(format(
        'select public.store_trader(%L, %L)',
        :'ann',
        '{"name": "n", "rule": "close > 0", "venue": "binance", "interval": "1m",
          "trigger": "while"}'::jsonb || wrong.change
    )),
    'PT400 ' || wrong.field,
    'refuses ' || left(wrong.change::text, 60)
)
from wrong;

select is(
    tap.hint_of(format('select public.store_trader(%L, %L)', :'ann', '{"name": "n"}'::jsonb)),
    'PT400 interval', 'a new trader needs its fields'
);
select is(
    tap.hint_of(format('select public.store_trader(%L, %L)', :'ann', '[]'::jsonb)),
    'PT400 trader', 'and is an object'
);
select is(
    tap.hint_of(format('select public.store_trader(%L, %L)', gen_random_uuid(), '{}'::jsonb)),
    'PT400 interval', 'fields are looked at first'
);
select is(
    tap.hint_of(format(
        'select public.store_trader(%L, %L)', gen_random_uuid(),
        '{"name": "n", "rule": "close > 0", "venue": "binance", "interval": "1m",
          "trigger": "while"}'::jsonb
    )),
    'PT404 user_id', 'an unknown user'
);
select is(
    (select count(*) from public.traders where user_id = :'ann'), 0::bigint, 'nothing stored'
);

select * from finish();
rollback;
