-- At which closes a cadence is due, and how far back the due close before is.
begin;
select plan(39);

-- Monday, 2026-11-16; the epoch's number of a close is its minutes, hours, … since 1970.
create temporary table expected (cadence text, "interval" text, closed_at timestamptz, due boolean);
insert into expected
values
    ('close', '1m', '2026-11-16 09:31Z', true),
    ('every 3 closes', '5m', '2026-11-16 09:30Z', true),
    ('every 3 closes', '5m', '2026-11-16 09:35Z', false),
    ('every 3 closes', '5m', '2026-11-16 09:45Z', true),
    ('every 7 closes', '1d', '2026-11-19 00:00Z', true),
    ('every 7 closes', '1d', '2026-11-16 00:00Z', false),
    ('30 8 * * 1-5', '30m', '2026-11-16 08:30Z', true),
    ('30 8 * * 1-5', '1h', '2026-11-16 08:00Z', false),
    ('30 8 * * 1-5', '1h', '2026-11-16 09:00Z', true),
    ('30 8 * * 1-5', '1h', '2026-11-16 10:00Z', false),
    ('30 8 * * 1-5', '1h', '2026-11-15 09:00Z', false),
    ('0 9 * * *', '1h', '2026-11-16 09:00Z', true),
    ('59 23 * * *', '1d', '2026-11-17 00:00Z', true),
    ('0 0 * * *', '1d', '2026-11-17 00:00Z', true),
    ('0 0 1 * *', '1d', '2026-11-17 00:00Z', false),
    ('*/20 * * * *', '15m', '2026-11-16 09:15Z', false),
    ('*/20 * * * *', '15m', '2026-11-16 09:30Z', true),
    ('*/20 * * * *', '15m', '2026-11-16 09:45Z', true),
    ('*/20 * * * *', '15m', '2026-11-16 10:00Z', true),
    ('0 12 13 * 1', '4h', '2026-11-16 12:00Z', true),
    ('0 12 13 * 1', '4h', '2026-11-13 12:00Z', true),
    ('0 12 13 * */1', '4h', '2026-11-16 12:00Z', false),
    ('0 12 * * 7', '4h', '2026-11-15 12:00Z', true),
    ('0 0 29 2 *', '1d', '2028-02-29 00:00Z', true);
select is(
    ops.is_due(cadence, "interval", closed_at), due,
    format('%s of %s at %s', cadence, "interval", closed_at at time zone 'UTC')
)
from expected;

select results_eq(
    $$ select ops.due_closes('*/20 9 * * *', '15m', '2026-11-16 09:15Z', '2026-11-16 10:00Z') $$,
    $$ values ('2026-11-16 09:30Z'::timestamptz), ('2026-11-16 09:45Z') $$,
    'after one instant, up to and with another'
);
select results_eq(
    $$ select ops.due_closes('every 2 closes', '1m', '2026-11-16 09:15:30Z', '2026-11-16 09:20Z') $$,
    $$ values ('2026-11-16 09:16Z'::timestamptz), ('2026-11-16 09:18Z'), ('2026-11-16 09:20Z') $$,
    'bounds need not be closes'
);

select is(ops.before_bars('close', '1m', '2026-11-16 09:31Z'), 1, 'each close: the bar before');
select is(ops.before_bars('every 3 closes', '5m', '2026-11-16 09:30Z'), 3, 'every 3: three bars');
select is(
    ops.before_bars('every 3 closes', '5m', '2026-11-16 09:40Z'), 2, 'between: to the last due'
);
select is(ops.before_bars('every 1000 closes', '1m', 'epoch'), 500, 'bounded');
select is(ops.before_bars('0 8 * * *', '1h', '2026-11-16 08:00Z'), 24, 'a day of hours');
select is(ops.before_bars('0 8 * * 1-5', '1h', '2026-11-16 08:00Z'), 72, 'over a weekend');
select is(ops.before_bars('0 8 * * *', '1m', '2026-11-16 08:00Z'), 500, 'too far away: the bound');
select is(ops.before_bars('0 0 1 1 *', '1d', '2026-01-01 00:00Z'), 365, 'a year of days');
select is(ops.before_bars('20,40 9 * * *', '1h', '2026-11-16 10:00Z'), 24, 'twice in a bar is once');

select ok(ops.cron_matches('30 8 * * 1-5', '2026-11-16 08:30:59.9Z'), 'the minute of an instant');
select ok(not ops.cron_matches('30 8 * * 1-5', '2026-11-16 08:31Z'), 'and no other');
select throws_ok(
    $$ select ops.cron_matches('30 25 * * 1-5', '2026-11-16 08:30Z') $$, 'PT400',
    'hour: expected 0 to 23, was 25'
);
set local timezone = 'Asia/Kathmandu';
select ok(ops.is_due('30 8 * * 1-5', '1h', '2026-11-16 09:00Z'), 'whatever the time zone is');

select * from finish();
rollback;
