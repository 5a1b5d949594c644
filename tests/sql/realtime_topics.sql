-- A private channel is authorised by row level security: the own topic, to listen, and no other.
begin;
select plan(5);

select tap.new_user('ann') as ann, tap.new_user('bob') as bob
\gset
insert into realtime.messages (topic, extension, event, private, payload)
values ('signals:' || :'ann', 'broadcast', 'signals', true, '{}');

-- As the service does at a join: role, claims and topic, then a probe.
select tap.act_as(:'ann'), set_config('realtime.topic', 'signals:' || :'ann', true);
select isnt_empty('select from realtime.messages', 'the own topic');
select set_config('realtime.topic', 'signals:' || :'bob', true);
select is_empty('select from realtime.messages', 'another user''s topic');
select set_config('realtime.topic', 'signals:' || :'ann', true);
select throws_ok(
    format(
        'insert into realtime.messages (topic, extension, event, private, payload)'
        ' values (%L, ''broadcast'', ''signals'', true, ''{}'')', 'signals:' || :'ann'
    ),
    '42501', null, 'nobody sends, not even to the own topic'
);
select tap.act_as(:'bob'), set_config('realtime.topic', 'signals:' || :'ann', true);
select is_empty('select from realtime.messages', 'Bob does not hear Ann');
select tap.act_as_role('anon'), set_config('realtime.topic', 'signals:' || :'ann', true);
select is_empty('select from realtime.messages', 'nor does anybody without an account');

select * from finish();
rollback;
