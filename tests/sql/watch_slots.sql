-- slot_missing: closes that are missing or unfinished 90 s later are one incident an interval; it
-- closes by itself when they are done, and by hand for good.
begin;
select plan(18);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders set enabled_at = tap.slot(6);
update ops.settings set value = '9999' where name = 'feed_stale_after_s';
select is_empty(
    $$ select from ops.slots_missing where closed_at > now() - interval '90 seconds' $$,
    'the newest slots are given time'
);
select tap.emit_at(tap.slot(6)), tap.emit_at(tap.slot(5)), tap.claim(tap.slot(4));
update ops.runs set opened_at = closed_at;

select results_eq(
    $$ select closed_at, status from ops.slots_missing where closed_at < tap.slot(2) order by 1 $$,
    $$ values (tap.slot(4), 'claimed'), (tap.slot(3), 'missing') $$,
    'unfinished and missing slots; not the finished'
);
-- Slot 1 is 90 s old only in the second half of a minute.
select count(*)::integer as missing from ops.slots_missing
\gset
select is((ops.watch() ->> 'open')::integer, 1, 'one incident for the interval');
select * from ops.incidents
\gset
select is(:'kind' || ' ' || :'subject' || ' ' || :'severity', 'slot_missing binance 1m warn', 'which');
select is((:'details'::jsonb ->> 'missing_count')::integer, :missing, 'counts them');
select is((:'details'::jsonb ->> 'expected_count')::integer, :missing + 2, 'of those expected');
select is((:'details'::jsonb ->> 'oldest')::timestamptz, tap.slot(4), 'from the oldest');
select is(
    (select jsonb_agg(slot -> 'status' order by slot ->> 'closed_at') -> 0
        from jsonb_array_elements(:'details'::jsonb -> 'newest_slots') as slot),
    '"claimed"', 'and lists them'
);
select results_eq(
    'select venue, "interval", expected_count, finished_count, missing_count from ops.slot_counts',
    format('values (''binance'', ''1m'', %s, 2, %s)', :missing + 2, :missing),
    'expected against actual'
);
select is((ops.watch() ->> 'open')::integer, 1, 'the same cause is the same incident');
select results_eq(
    $$ select level, fields ->> 'kind' from ops.function_logs where event = 'incident_raised' $$,
    $$ values ('warn', 'slot_missing') $$,
    'one line in the log'
);

update ops.runs set status = 'failed', error = 'StaleData: no frame' where closed_at = tap.slot(4);
select ops.watch();
select ok(
    severity = 'error' and message like '%Given up after too many attempts: 1.%no frame%',
    'a slot that was given up is an error'
)
from ops.incidents;

-- By hand: what it named is settled, what comes later is not.
select ops.close_incident(:id, 'the venue was down');
select is((ops.watch() ->> 'open')::integer, 0, 'closed by hand: these slots are not raised again');
update ops.incidents set details = jsonb_set(details, '{newest}', to_jsonb(tap.slot(4)));
select is((ops.watch() ->> 'open')::integer, 1, 'later ones are');

-- Cured: the slots are evaluated.
select tap.emit_at(tap.slot(3)), tap.emit_at(tap.slot(2)), tap.emit_at(tap.slot(1));
select is((ops.watch() ->> 'closed')::integer, 0, 'not at once');
update ops.incidents set last_seen_at = now() - interval '121 seconds' where closed_at is null;
select is((ops.watch() ->> 'closed')::integer, 1, 'but when it was gone for two minutes');
select results_eq(
    'select closed_by from ops.incidents order by id', array['postgres', 'watch'], 'by itself'
);

-- After a night switched off: what is beyond the reach of a tick is no alarm.
update public.traders set enabled_at = now() - interval '10 hours';
update ops.settings set value = '1' where name = 'catch_up_slots_max';
select is((ops.watch() ->> 'open')::integer, 0, 'slots that nobody makes up for are not raised');

select * from finish();
rollback;
