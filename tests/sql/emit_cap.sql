-- A trader stores at most its tier's cap per close, in the order sent; the rest is counted.
begin;
select plan(9);

update public.tiers set signals_per_close_max = 3 where id = 'free';
select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader, tap.new_trader(:'ann') as other
\gset
create function pg_temp.signals(trader bigint, names text[]) returns jsonb language sql as $$
    select jsonb_agg(tap.signal(trader, name)) from unnest(names) as name;
$$;

select tap.claim(tap.slot()) as claim
\gset
select is(
    tap.emit(
        :'claim',
        pg_temp.signals(:trader, '{E,D,C,B,A}') || pg_temp.signals(:other, '{Z}'),
        jsonb_build_object(
            'complete', false, 'missing_instruments', '["X", "Y"]'::jsonb,
            'overflow', jsonb_build_object(:trader::text, 10)
        )
    ),
    '{"inserted": 4, "duplicates": 0, "cooldown": 0, "disabled": 0, "overflow": 12}',
    'three of five, and one of another trader'
);
select results_eq(
    format('select instrument from public.signals where trader_id = %s order by id', :trader),
    array['E', 'D', 'C'], 'the first three in the order sent'
);
select results_eq(
    'select trader_id, user_id, "interval", closed_at, trigger, rest_count'
    ' from public.signal_overflows',
    format(
        'values (%s::bigint, %L::uuid, ''1m'', tap.slot(), ''while'', 12)', :trader, :'ann'
    ),
    'the rest is counted: two cut here, ten not sent'
);

-- The missing instruments come: the cap holds for the close, not for the call.
select is(
    tap.emit(tap.claim(tap.slot()), pg_temp.signals(:trader, '{X,Y}')) ->> 'overflow', '2',
    'late ones find the cap used up'
);
select is(rest_count, 14, 'and are added to the rest') from public.signal_overflows;

select is(
    tap.emit_at(tap.slot(1), pg_temp.signals(:trader, '{E,D,C}')) ->> 'inserted', '3',
    'every close has its own cap'
);
select is((select count(*) from public.signal_overflows), 1::bigint, 'nothing over it, no row');

-- A run by hand evaluates everything again: the rest must not be counted twice.
select is(
    tap.emit(
        tap.claim(tap.slot(), trader => :trader), pg_temp.signals(:trader, '{E,D,C,B,A}')
    ),
    '{"inserted": 0, "duplicates": 3, "cooldown": 0, "disabled": 0, "overflow": 2}',
    'three are there already, two over the cap'
);
select is(rest_count, 14, 'the larger count stays') from public.signal_overflows;

select * from finish();
rollback;
