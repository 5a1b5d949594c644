-- The quota cannot be passed by disabling, adding, and enabling again.
begin;
select plan(6);

select tap.new_user('ann') as ann
\gset
select count(tap.new_trader(:'ann')) from generate_series(1, 10);
select min(id) as oldest from public.traders where user_id = :'ann'
\gset
update public.traders set enabled = false where id = :oldest;
select tap.new_trader(:'ann') as newest
\gset

select tap.act_as(:'ann');
select throws_ok(
    format('update public.traders set enabled = true where id = %s', :oldest),
    'PT403', null, 'enabling the eleventh is refused'
);
select throws_ok(
    'update public.traders set enabled = true', 'PT403', null, 'enabling all at once is refused'
);
select is(
    (select count(*) from public.traders where enabled), 10::bigint, 'ten are enabled, as before'
);
update public.traders set enabled = false where id = :newest;
select lives_ok(
    format('update public.traders set enabled = true where id = %s', :oldest),
    'after another one was disabled there is room'
);
select lives_ok(
    format('update public.traders set enabled = true where id = %s', :oldest),
    'enabling what is enabled is no new one'
);
reset role;
select throws_ok(
    format(
        'select public.store_trader(%L, %L)', :'ann',
        jsonb_build_object('id', :newest, 'enabled', true)
    ),
    'PT403', null, 'the routine is bound by it too'
);

select * from finish();
rollback;
