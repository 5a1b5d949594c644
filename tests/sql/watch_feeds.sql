-- feed_stale: the newest finished close of an interval with enabled traders is too old.
begin;
select plan(9);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update ops.settings set value = '9999' where name = 'watch_after_s';
update public.traders set enabled_at = tap.slot() - interval '30 seconds';
select is_empty('select ops.find_feed_causes()', 'a trader that was just enabled is owed nothing');
update public.traders set enabled_at = tap.slot(5);
select ok(
    message like 'No 1m close of binance was evaluated yet; the first was due at %',
    'never evaluated, though due'
)
from ops.find_feed_causes();

select tap.emit_at(tap.slot(4));
select is((ops.watch() ->> 'open')::integer, 1, 'the newest finished close is four minutes old');
select results_eq(
    'select kind, subject, severity from ops.incidents',
    $$ values ('feed_stale', 'binance 1m', 'error') $$,
    'which'
);
select is(
    details - 'late_s',
    jsonb_build_object(
        'venue', 'binance', 'interval', '1m', 'closed_at', tap.slot(4), 'due_at', tap.slot(3)
    ),
    'with its figures'
)
from ops.incidents;

update public.traders set enabled = false;
select is_empty('select ops.find_feed_causes()', 'nobody is owed data of an interval without traders');
update public.traders set enabled = true;
update public.traders set enabled_at = tap.slot(5);

select tap.emit_at(tap.slot());
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'it closes when the feed is fresh again');

-- A first trader on an interval that was evaluated for others long ago.
delete from ops.runs;
select tap.emit_at(tap.slot(9));
update public.traders set enabled_at = tap.slot() + interval '1 second';
select is_empty('select ops.find_feed_causes()', 'data from before the enabling are not stale');

update public.traders set enabled_at = tap.slot(9);
update ops.settings set value = 'off' where name = 'signals_enabled';
select ok(message like '%kill switch signals_enabled is off.', 'a forgotten kill switch is named')
from ops.find_feed_causes();

select * from finish();
rollback;
