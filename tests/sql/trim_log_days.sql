-- The counts of lines are kept as long as the lines.
begin;
select plan(2);

delete from ops.log_days;
insert into ops.log_days (day, lines_count)
select (now() at time zone 'UTC')::date - days, 1
from unnest(array[0, 6, 8, 9]) as days;

select ok(ops.trim_batch(2) >= 2, 'a batch');
select results_eq(
    'select (now() at time zone ''UTC'')::date - day from ops.log_days order by 1',
    $$ values (0), (6) $$, 'leaves the last seven days'
);

select * from finish();
rollback;
