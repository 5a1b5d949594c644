-- Free tier: ten enabled traders, fifty stored.
begin;
select plan(6);

select tap.new_user('ann') as ann, tap.new_user('eli', 'elite') as eli
\gset
select lives_ok(
    format('select tap.new_trader(%L) from generate_series(1, 10)', :'ann'), 'ten are allowed'
);
select throws_ok(
    format('select tap.new_trader(%L)', :'ann'),
    'PT403', 'expected at most 10 enabled traders in tier free, was 10 already'
);
select throws_ok(
    format(
        'insert into public.traders (user_id, name, rule, venue, "interval", trigger)'
        ' select %L, ''x'', ''close > 0'', ''binance'', ''1m'', ''while'''
        ' from generate_series(1, 11)', tap.new_user('bulk')
    ),
    'PT403', null, 'in one statement too'
);
select lives_ok(
    format('select tap.new_trader(%L, enabled => false) from generate_series(1, 40)', :'ann'),
    'forty more are stored, disabled'
);
select throws_ok(
    format('select tap.new_trader(%L, enabled => false)', :'ann'),
    'PT403', 'expected at most 50 stored traders in tier free, was 50 already'
);
select lives_ok(
    format('select tap.new_trader(%L) from generate_series(1, 101)', :'eli'),
    'elite has no limit'
);

select * from finish();
rollback;
