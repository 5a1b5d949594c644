-- A user's write that touches no row is an error; the system's own empty writes are none.
begin;
select plan(5);

select tap.new_user('ann') as ann
\gset
select tap.act_as(:'ann');
select throws_ok('update public.traders set enabled = true where id = -1', 'PT404');
select throws_ok('delete from public.traders where id = -1', 'PT404');
select throws_ok(
    format('update public.profiles set display_name = ''x'' where user_id = %L', gen_random_uuid()),
    'PT404'
);
select tap.act_as_role('authenticated');
select throws_ok(
    $$ update public.profiles set display_name = 'x' $$, 'PT404', null, 'a token without a user'
);
reset role;
select lives_ok(
    format('delete from auth.users where id = %L', :'ann'),
    'deleting a user who has no traders cascades over nothing'
);

select * from finish();
rollback;
