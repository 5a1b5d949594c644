-- Why: a paused schedule was told by `closebell status` only. It is an incident now (a warning),
--   so the dashboard of an operator shows it; and feed_status says to every user that evaluation
--   is held back, so that nobody waits for signals without knowing why.
-- Locks: a moment's access exclusive on ops.incidents while its rows (tens) are checked.
-- Way back: delete from ops.incidents where kind = 'schedule_paused'; the constraint as in
--   20261122000200; public.feed_status as in 20261122000500 (drop, create, grant).

set local lock_timeout = '5s';

alter table ops.incidents
    drop constraint incidents_kind_is_known,
    add constraint incidents_kind_is_known check (kind in (
        'slot_missing', 'feed_stale', 'schedule_failing', 'schedule_paused', 'outbox_growing',
        'cron_silent', 'requests_silent', 'budget_exceeded', 'backup_overdue'
    ));

create or replace view public.feed_status
as
select
    newest.venue,
    newest."interval",
    newest.feed,
    newest.closed_at,
    newest.finished_at,
    newest.complete,
    newest.missing_count,
    newest.frame_revision,
    exists (
        select
        from public.traders
        where traders.venue = newest.venue
            and traders."interval" = newest."interval"
            and traders.cadence = 'close'
            and traders.enabled
    ) as is_each_close,
    (
        exists (
            select
            from ops.settings
            where settings.name = 'signals_enabled'
                and settings.value = 'off'
        )
        or exists (
            select
            from ops.timetable
            where timetable.name = 'tick'
                and timetable.paused_until > now()
        )
    ) as is_paused
from unnest(array['binance']) as venues (venue)
cross join unnest(
    array['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d']
) as intervals ("interval")
cross join lateral (
    select
        runs.venue,
        runs."interval",
        runs.feed,
        runs.closed_at,
        runs.finished_at,
        runs.complete,
        cardinality(runs.missing_instruments) as missing_count,
        runs.frame_revision
    from ops.runs
    where runs.venue = venues.venue
        and runs."interval" = intervals."interval"
        and runs.finished_at is not null
    order by runs.closed_at desc, runs.finished_at desc
    limit 1
) as newest;
comment on column public.feed_status.is_paused is
    'Whether an operator holds evaluation back: kill switch off, or tick paused. The same in each'
    ' row; closes come late then.';
