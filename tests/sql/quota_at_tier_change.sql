-- A smaller tier disables the oldest traders and tells their owner why.
begin;
select plan(7);

select tap.new_user('ann', 'pro') as ann, tap.new_user('bob', 'pro') as bob
\gset
insert into public.traders (user_id, name, rule, venue, "interval", trigger, created_at)
select
    owner, 't' || number, 'close > 0', 'binance', '1m', 'while',
    now() - make_interval(hours => number)
from unnest(array[:'ann', :'bob']::uuid[]) as owner, generate_series(1, 12) as number;
select revision as revision_before from ops.traders_revision
\gset

update public.profiles set tier_id = 'free' where user_id = :'ann';
select is(
    (select count(*) from public.traders where user_id = :'ann' and enabled), 10::bigint,
    'ten stay enabled'
);
select results_eq(
    format(
        'select name from public.traders where user_id = %L and not enabled order by created_at',
        :'ann'
    ),
    array['t12', 't11'],
    'the two oldest were disabled'
);
select is(
    (select min(disabled_reason) from public.traders where user_id = :'ann' and not enabled),
    'disabled because tier free allows 10 enabled traders; the oldest were disabled',
    'with the reason'
);
select is(
    (select count(*) from public.traders where user_id = :'bob' and enabled), 12::bigint,
    'nobody else is touched'
);
select cmp_ok(
    (select revision from ops.traders_revision), '>', :revision_before::bigint,
    'functions are told that their lists are old'
);

update public.tiers set traders_max = 5 where id = 'pro';
select is(
    (select count(*) from public.traders where user_id = :'bob' and enabled), 5::bigint,
    'a change of the tier itself is one for everybody in it'
);

select tap.act_as(:'ann');
select throws_ok(
    'update public.traders set enabled = true where not enabled', 'PT403',
    null, 'enabling them again is refused'
);

select * from finish();
rollback;
