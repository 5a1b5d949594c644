-- outbox_growing: notifications wait too long or are too many, where somebody should deliver them.
begin;
select plan(6);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update ops.settings set value = '9999' where name in ('watch_after_s', 'feed_stale_after_s');
select tap.emit_at(
    tap.slot(),
    jsonb_build_array(tap.signal(:trader, 'BTCUSDT'), tap.signal(:trader, 'ETHUSDT'))
);
update ops.settings set value = '1' where name = 'outbox_count_max';
select is_empty('select ops.find_outbox_causes()', 'not watched until something delivers');
update ops.settings set value = 'on' where name = 'outbox_watched';

select ops.watch();
select results_eq(
    $$ select kind, subject, severity, details -> 'pending_count' from ops.incidents $$,
    $$ values ('outbox_growing', 'outbox', 'warn', '2'::jsonb) $$,
    'too many: a warning'
);
update ops.outbox set created_at = now() - interval '16 minutes'
where id = (select min(id) from ops.outbox);
select ops.watch();
select results_eq(
    'select severity, message from ops.incidents',
    $$ values (
        'error', 'Notifications wait to be delivered: 2, the oldest for 16 min.'
    ) $$,
    'too long: an error, in the same incident'
);

update ops.outbox set status = 'sent' where id = (select min(id) from ops.outbox);
select is_empty('select ops.find_outbox_causes()', 'as many as allowed, and young');
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'it closes when the outbox is worked off');
delete from ops.outbox;
select is_empty('select ops.find_outbox_causes()', 'an empty one is well');

select * from finish();
rollback;
