-- budget_exceeded: a meter will use more in a month than is free, or has.
begin;
select plan(9);

delete from ops.usage;
insert into ops.usage (meter, day, amount, first_at)
select
    'redis_commands', (now() at time zone 'UTC')::date - n, 10000,
    now() - make_interval(days => n)
from generate_series(1, 6) as n;
update ops.meters set free_limit = 300001 where meter = 'redis_commands';
select is_empty('select ops.find_budget_causes()', '300,000 a month at this rate: within it');

update ops.meters set free_limit = 250000 where meter = 'redis_commands';
select ops.watch();
select results_eq(
    $$
        select kind, subject, severity, details ->> 'free_limit', details ->> 'projected_month'
        from ops.incidents
    $$,
    $$ values ('budget_exceeded', 'redis_commands', 'warn', '250000', '300000') $$,
    'more than is free, as projected: a warning'
);
select matches(
    message,
    'redis_commands: 300,000 in a month at this rate, 250,000 are free; .* used so far\.',
    'with both amounts'
)
from ops.incidents;

insert into ops.usage (meter, day, amount, first_at)
values ('redis_commands', (now() at time zone 'UTC')::date, 250001, now());
select ops.watch();
select is(severity, 'error', 'more was used already: an error, in the same incident')
from ops.incidents;
-- A history loaded twenty minutes ago is no month's rate; that much in half a day is.
delete from ops.usage;
insert into ops.usage (meter, day, amount, first_at)
values ('redis_commands', (now() at time zone 'UTC')::date, 8000, now() - interval '20 minutes');
select is_empty('select ops.find_budget_causes()', 'one load, and a day in which nothing more came');
update ops.usage set amount = 9000, first_at = now() - interval '12 hours';
select results_eq(
    'select severity, details ->> ''projected_month'' from ops.find_budget_causes()',
    $$ values ('warn', '540000') $$,
    'half a day at a rate that breaks it'
);
-- Nothing is projected in the first ten minutes; what was used is known.
delete from ops.usage;
insert into ops.usage (meter, day, amount, first_at)
values ('redis_commands', (now() at time zone 'UTC')::date, 250001, now());
select results_eq(
    'select severity, message from ops.find_budget_causes()',
    $$ values (
        'error', 'redis_commands: 250,001 used this month, 250,000 are free.'
    ) $$,
    'in the first minutes, too'
);

update ops.meters set free_limit = null where meter = 'redis_commands';
select is_empty('select ops.find_budget_causes()', 'without a limit nothing is exceeded');
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'closed when it fits again');

select * from finish();
rollback;
