-- A user cannot become an administrator, change tier, or touch another profile.
begin;
select plan(9);

insert into auth.users (id, email, raw_user_meta_data, raw_app_meta_data)
values (
    gen_random_uuid(), 'eve@example.org',
    '{"is_admin": true, "tier_id": "elite"}', '{"tier_id": "elite"}'
)
returning id as eve
\gset
select tap.new_user('ann') as ann
\gset
select results_eq(
    format('select tier_id, is_admin from public.profiles where user_id = %L', :'eve'),
    $$ values ('free', false) $$,
    'a new user gets the default tier and no rights, whatever the sign-up said'
);

select tap.act_as(:'eve');
select throws_ok('update public.profiles set is_admin = true', '42501');
select throws_ok($$ update public.profiles set tier_id = 'elite' $$, '42501');
select throws_ok(
    format('update public.profiles set user_id = %L', gen_random_uuid()), '42501'
);
select throws_ok(
    $$ update public.profiles set display_name = 'Eve', is_admin = true $$, '42501',
    null, 'a permitted column does not carry a forbidden one'
);
select throws_ok(
    format(
        'insert into public.profiles (user_id, tier_id, is_admin) values (%L, ''elite'', true)',
        gen_random_uuid()
    ),
    '42501'
);
select lives_ok($$ update public.profiles set display_name = 'Eve' $$, 'the own name');
select throws_ok(
    format('update public.profiles set display_name = ''Eve'' where user_id = %L', :'ann'),
    'PT404', null, 'another''s name: an error, not a success with 0 rows'
);
select throws_ok($$ update public.profiles set display_name = ' ' $$, '23514');

select * from finish();
rollback;
