-- Enabling starts anew: errors, reason and start time; disabling by the owner leaves no reason.
begin;
select plan(5);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders
set enabled = false, disabled_reason = 'disabled after 10 failed evaluations in a row',
    error_count = 10, last_error = 'InvalidRule: …'
where id = :trader;

select tap.act_as(:'ann');
update public.traders set enabled = true where id = :trader;
select is(disabled_reason, null, 'no reason') from public.traders where id = :trader;
select is(error_count, 0, 'no errors') from public.traders where id = :trader;
select is(last_error, null, 'no last error') from public.traders where id = :trader;
select is(enabled_at, now(), 'enabled since now') from public.traders where id = :trader;
update public.traders set enabled = false where id = :trader;
select is(disabled_reason, null, 'disabled by the owner: no reason')
from public.traders where id = :trader;

select * from finish();
rollback;
