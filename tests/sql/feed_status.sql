-- feed_status: the newest evaluated slot per interval, for every signed-in user.
begin;
select plan(9);

select tap.new_user('ann') as ann, tap.new_user('bob') as bob
\gset
select tap.new_trader(:'ann'), tap.new_trader(:'ann', "interval" => '5m');
select tap.emit_at(tap.slot(2));
select tap.emit_at(
    tap.slot(1), '[]',
    '{"complete": false, "missing_instruments": ["X", "Y"], "frame_revision": 4, "feed": "replay"}'
);
select tap.claim(tap.slot());

select tap.act_as(:'bob');
select results_eq(
    'select venue, "interval", feed, closed_at, complete, missing_count, frame_revision'
    ' from public.feed_status',
    $$ values ('binance', '1m', 'replay', tap.slot(1), false, 2, 4) $$,
    'the newest that was evaluated'
);
select ok(finished_at is not null, 'and when') from public.feed_status;
select ok(is_each_close, 'every close is evaluated') from public.feed_status;
reset role;
update public.traders set cadence = 'every 3 closes';
select tap.act_as(:'bob');
select ok(not is_each_close, 'not while nobody is due at each') from public.feed_status;
select ok(not is_paused, 'nobody holds it back') from public.feed_status;
reset role;
select ops.pause('trim', 'infinity', 'not theirs to know');
select ok(not is_paused, 'nor does a pause of the housekeeping') from public.feed_status;
select ops.pause('tick', 'infinity', 'a secret');
select tap.act_as(:'bob');
select ok(is_paused, 'while tick is paused every user may know') from public.feed_status;
reset role;
select ops.resume('tick');
update ops.settings set value = 'off' where name = 'signals_enabled';
select tap.act_as(:'bob');
select ok(is_paused, 'and while the kill switch is off') from public.feed_status;
select tap.act_as_role('anon');
select throws_ok('select * from public.feed_status', '42501');

select * from finish();
rollback;
