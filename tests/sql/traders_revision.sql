-- The revision changes with everything that would change a list of claim_run, and with nothing
-- else.
begin;
select plan(11);

select tap.new_user('ann') as ann
\gset
create temporary table seen (revision bigint);
insert into seen select revision from ops.traders_revision;
create function pg_temp.is_changed() returns boolean language sql as $$
    with now_is as (select revision from ops.traders_revision),
    before as (update seen set revision = now_is.revision from now_is returning now_is.revision)
    select (select seen.revision from seen) <> (select revision from now_is) from before;
$$;

select tap.new_trader(:'ann') as trader
\gset
select ok(pg_temp.is_changed(), 'a new trader');
update public.traders set enabled = false where id = :trader;
select ok(pg_temp.is_changed(), 'disabled');
update public.traders set enabled = true where id = :trader;
select ok(pg_temp.is_changed(), 'enabled');
update public.traders set rule = 'close > 0' where id = :trader;
select ok(pg_temp.is_changed(), 'another rule');
update public.traders set cooldown_s = 5 where id = :trader;
select ok(pg_temp.is_changed(), 'another cooldown');
update public.profiles set tier_id = 'pro' where user_id = :'ann';
select ok(pg_temp.is_changed(), 'another tier');
update public.tiers set signals_per_close_max = 7 where id = 'pro';
select ok(pg_temp.is_changed(), 'another cap');
update public.traders set name = 'n' where id = :trader;
select ok(not pg_temp.is_changed(), 'a name is not in the list');
update public.traders set error_count = 1, last_error = 'e' where id = :trader;
select ok(not pg_temp.is_changed(), 'errors are not');
update public.profiles set display_name = 'Ann' where user_id = :'ann';
select ok(not pg_temp.is_changed(), 'a display name is not');
delete from public.traders where id = :trader;
select ok(pg_temp.is_changed(), 'a trader less');

select * from finish();
rollback;
