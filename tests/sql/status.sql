-- ops.status(): one document about everything.
begin;
select plan(20);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann', 'steady') as steady, tap.new_trader(:'ann', 'failing') as failing
\gset
select tap.new_trader(:'ann', 'hourly', "interval" => '1h', enabled => false);
-- The last hour of 1m is done but for two slots: one was never made, one is under way since long.
-- The newest one is not there yet, and not late.
select tap.emit_at(tap.slot(back))
from generate_series(1, 59) as back
where back not in (10, 20);
select tap.claim(tap.slot(20));
update ops.runs set opened_at = now() - interval '20 minutes' where status = 'claimed';
update public.traders
set error_count = 4, last_error = repeat('x', 1000)
where id = :failing;

create temporary view answer as
select ops.status() as report;
create temporary view minute as
select feed
from answer, jsonb_array_elements(report -> 'feeds') as feed
where feed ->> 'interval' = '1m';

select is(report -> 'signals_enabled', 'true'::jsonb, 'the kill switch') from answer;
select is(
    feed -> 'slots', '{"expected_count": 59, "done_count": 57, "missing_count": 2}'::jsonb,
    'slots of the last hour: in all, done, missing'
) from minute;
select is(
    (feed ->> 'closed_at')::timestamptz, tap.slot(1), 'the newest evaluated close'
) from minute;
select is(feed ->> 'feed', 'simulated', 'whose data') from minute;
select is(feed -> 'is_owed', 'true'::jsonb, 'somebody is owed it') from minute;
select is(
    jsonb_array_length(report -> 'feeds'), 1, 'nobody is owed 1h, and it was never evaluated'
) from answer;
select is(
    (report -> 'traders') - 'last_run_at' - 'last_signal' - 'errors',
    '{"enabled_count": 2, "disabled_count": 1, "stopped_count": 0, "failing_count": 1}'::jsonb,
    'traders by state'
) from answer;
select is(
    (report #>> '{traders,last_run_at}')::timestamptz, max(finished_at), 'the last run'
)
from answer, ops.runs
group by report;
select is(
    report #> '{traders,errors}',
    jsonb_build_array(jsonb_build_object(
        'id', :failing, 'name', 'failing', 'enabled', true, 'error_count', 4,
        'message', repeat('x', 200)
    )),
    'who fails, and the beginning of why'
) from answer;
select is(report #> '{traders,last_signal}', 'null'::jsonb, 'no signal yet') from answer;

select tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(:steady, 'BTCUSDT')));
select is(
    (report #> '{traders,last_signal}') - 'created_at',
    '{"trader": "steady", "instrument": "BTCUSDT", "origin": "live"}'::jsonb,
    'the last signal'
) from answer;
select is(report #> '{outbox,pending_count}', '1'::jsonb, 'what waits to be delivered') from answer;
select is(feed -> 'signals_count', '1'::jsonb, 'signals of the last hour') from minute;

update ops.settings set value = 'off' where name = 'signals_enabled';
select is(report -> 'signals_enabled', 'false'::jsonb, 'switched off') from answer;
select is(
    (select jsonb_agg(entry -> 'name') from jsonb_array_elements(report -> 'schedules') as entry),
    (select jsonb_agg(name order by name) from ops.schedules),
    'the schedules'
) from answer;

select is(report -> 'incidents', '[]'::jsonb, 'no incident') from answer;
select ops.raise_incident('feed_stale', 'binance 1m', 'error', 'Old.');
select ops.raise_incident('backup_overdue', 'backup', 'warn', 'Older.') as closed
\gset
select ops.close_incident(:closed);
select is(
    report #> '{incidents,0}' ->> 'message' || jsonb_array_length(report -> 'incidents'), 'Old.1',
    'open ones'
) from answer;

select is(report -> 'backup', 'null'::jsonb, 'no backup yet') from answer;
select ops.record_backup(now(), '/b', 1, '{}', repeat('0', 64));
select ops.record_backup(now() - interval '9 days', '/older', 7, '{}', repeat('0', 64));
select is(
    (report -> 'backup') - 'made_at', '{"target": "/b", "bytes": 1}'::jsonb, 'the newest backup'
) from answer;

delete from ops.usage;
insert into ops.usage (meter, day, amount, first_at)
values ('redis_commands', (now() at time zone 'UTC')::date, 100, now() - interval '1 hour');
select results_eq(
    $$
        select entry ->> 'meter', entry -> 'used_today'
        from answer, jsonb_array_elements(report -> 'budget') as entry
    $$,
    $$ values ('redis_commands', '100'::jsonb) $$,
    'meters that have a share'
);

select * from finish();
rollback;
