-- A rule is written by the routine of save_trader alone; an owner may switch and delete.
begin;
select plan(9);

select tap.new_user('ann') as ann, tap.new_user('eve') as eve
\gset
select tap.new_trader(:'ann') as ann_trader, tap.new_trader(:'eve') as eve_trader
\gset

select tap.act_as(:'eve');
select throws_ok(
    format(
        'insert into public.traders (user_id, name, rule, venue, "interval", trigger)'
        ' values (%L, ''x'', ''close > 0'', ''binance'', ''1m'', ''while'')', :'eve'
    ),
    '42501', null, 'no insert, not even in the own name'
);
select throws_ok($$ update public.traders set rule = 'close > 0' $$, '42501');
select throws_ok($$ update public.traders set error_count = 0 $$, '42501');
select throws_ok($$ update public.traders set enabled_at = 'epoch' $$, '42501');
select throws_ok(
    format('update public.traders set user_id = %L', :'ann'), '42501', null, 'no giving away'
);
select throws_ok(
    format('update public.traders set enabled = false where id = %s', :ann_trader),
    'PT404', null, 'another''s trader cannot be switched'
);
select throws_ok(
    format('delete from public.traders where id = %s', :ann_trader),
    'PT404', null, 'nor deleted'
);
select throws_ok(
    format(
        'select public.store_trader(%L, %L)', :'ann',
        jsonb_build_object('id', :ann_trader, 'rule', 'close > 0')
    ),
    '42501', null, 'the routine is not for users'
);

reset role;
select throws_ok(
    format(
        'select public.store_trader(%L, %L)', :'eve',
        jsonb_build_object('id', :ann_trader, 'rule', 'close > 0')
    ),
    'PT404', null, 'and with a verified identity it stores the own traders only'
);

select * from finish();
rollback;
