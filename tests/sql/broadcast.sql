-- One private message per user and run, with the newest rows, bounded.
begin;
select plan(10);

select tap.new_user('ann', 'elite') as ann, tap.new_user('bob') as bob
\gset
select tap.new_trader(:'ann') as ann_trader, tap.new_trader(:'bob') as bob_trader
\gset
delete from realtime.messages;
select tap.emit_at(
    tap.slot(),
    (select jsonb_agg(tap.signal(:ann_trader, 'S' || n)) from generate_series(1, 60) as n)
    || jsonb_build_array(tap.signal(:bob_trader, 'S1'))
);
select results_eq(
    'select topic, event, private from realtime.messages order by topic',
    format(
        'select ''signals:'' || id, ''signals'', true'
        ' from unnest(array[%L, %L]::uuid[]) as id order by 1',
        :'ann', :'bob'
    ),
    'one private message a user, on the own topic'
);
select payload from realtime.messages where topic = 'signals:' || :'ann'
\gset
select is((:'payload'::jsonb ->> 'count')::integer, 60, 'how many were stored');
select is(jsonb_array_length(:'payload'::jsonb -> 'signals'), 50, 'the newest 50 of them');
select is(
    :'payload'::jsonb -> 'signals' -> 0 ->> 'instrument', 'S60', 'newest first'
);
select is(
    :'payload'::jsonb -> 'last_id', :'payload'::jsonb -> 'signals' -> 0 -> 'id', 'up to which id'
);
select is(:'payload'::jsonb -> 'run_id', to_jsonb((select id from ops.runs)), 'of which run');
select set_eq(
    format('select jsonb_object_keys(%L::jsonb -> ''signals'' -> 0)', :'payload'),
    'select attname::text from pg_attribute where attrelid = ''public.signals''::regclass'
    ' and attnum > 0 and not attisdropped',
    'each row has the keys of a select'
);
select is(
    :'payload'::jsonb -> 'signals' -> 0 -> 'price', '"101.25"', 'the price is a string'
);
set local timezone = 'Asia/Tokyo';
delete from realtime.messages;
select tap.emit_at(tap.slot(1), jsonb_build_array(tap.signal(:bob_trader, 'S1')));
select is(
    (select payload -> 'signals' -> 0 ->> 'closed_at' from realtime.messages),
    to_char(tap.slot(1) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00',
    'times are RFC 3339 in UTC, whatever the session''s zone'
);
delete from realtime.messages;
select tap.emit_at(tap.slot(2));
select is_empty('select from realtime.messages', 'no signal, no message');

select * from finish();
rollback;
