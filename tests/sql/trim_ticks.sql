-- Ticks and the counts of lines are kept as long as the lines.
begin;
select plan(3);

delete from ops.ticks;
delete from ops.log_days;
insert into ops.ticks (fired_at, opened_count)
select now() - make_interval(days => 7, mins => minutes), 0
from unnest(array[-5, 5, 6, 7]) as minutes;
insert into ops.log_days (day, lines_count)
select (now() at time zone 'UTC')::date - days, 1
from unnest(array[0, 6, 8, 9]) as days;

select ok(ops.trim_batch(2) >= 4, 'a batch');
select ok(ops.trim_batch(2) >= 1, 'and the next');
select results_eq(
    'select (select count(*) from ops.ticks), (select count(*) from ops.log_days)',
    $$ values (1::bigint, 2::bigint) $$, 'leave the last seven days'
);

select * from finish();
rollback;
