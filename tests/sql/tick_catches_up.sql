-- After missed ticks the missing slots are made: bounded, without gaps, and not before anybody
-- was owed anything.
begin;
select plan(7);

select tap.new_user('ann', 'pro') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select ops.tick(tap.slot());
select is(
    (select count(*) from ops.runs), 120::bigint, 'catch_up_slots_max, counting the newest'
);
select is((select min(closed_at) from ops.runs), tap.slot(119), 'the newest ones');

delete from ops.runs where closed_at between tap.slot(30) and tap.slot(20);
select ops.tick(tap.slot());
select is(
    (select count(*) from ops.runs), 120::bigint, 'a gap behind newer slots is found as well'
);

update public.traders set enabled_at = tap.slot(3) + interval '1 second';
delete from ops.runs;
select ops.tick(tap.slot());
select results_eq(
    'select closed_at from ops.runs order by closed_at',
    $$ values (tap.slot(2)), (tap.slot(1)), (tap.slot(0)) $$,
    'closes before it was enabled are not owed'
);

delete from ops.runs;
update public.traders set "interval" = '1d', enabled_at = now() - interval '90 days';
select ops.tick(tap.slot());
select cmp_ok(
    (select count(*) from ops.runs), '<=', 6::bigint,
    'slots that retention has deleted are not made again'
);
select cmp_ok((select count(*) from ops.runs), '>=', 5::bigint, 'those it keeps are');

update ops.settings set value = '2' where name = 'catch_up_slots_max';
delete from ops.runs;
select ops.tick(tap.slot());
select is((select count(*) from ops.runs), 2::bigint, 'the bound is a setting');

select * from finish();
rollback;
