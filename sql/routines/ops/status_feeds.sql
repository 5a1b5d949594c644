create or replace function ops.status_feeds()
returns jsonb
language sql
stable
set search_path = ''
as $$
-- Each venue and interval that was evaluated or is owed: its newest evaluated close, and the slots
-- that closed in the last hour: done, missing (beyond watch_after_s), and in all.
with feeds as (
    select venue, "interval" from public.feed_status
    union
    select distinct venue, "interval" from public.traders where enabled
),
slots as (
    select
        feeds.venue,
        feeds."interval",
        runs.closed_at,
        bool_and(runs.finished_at is not null) as is_done,
        sum(runs.signals_count) as signals_count
    from feeds
    inner join ops.runs
        on runs.venue = feeds.venue
        and runs."interval" = feeds."interval"
        and runs.closed_at > now() - interval '1 hour'
    where runs.trader_id is null
    group by feeds.venue, feeds."interval", runs.closed_at
),
missing as (
    select distinct venue, "interval", closed_at
    from ops.slots_missing
    where closed_at > now() - interval '1 hour'
),
counts as (
    select
        venue,
        "interval",
        count(*) as expected_count,
        count(*) filter (where slots.is_done) as done_count,
        count(missing.closed_at) as missing_count,
        coalesce(sum(slots.signals_count), 0) as signals_count
    from slots
    full join missing using (venue, "interval", closed_at)
    group by venue, "interval"
)
select coalesce(
    jsonb_agg(
        jsonb_build_object(
            'venue', feeds.venue,
            'interval', feeds."interval",
            'interval_s', ops.interval_s(feeds."interval"),
            'feed', newest.feed,
            'closed_at', newest.closed_at,
            'finished_at', newest.finished_at,
            'missing_instruments', newest.missing_count,
            'is_owed', exists (
                select from public.traders
                where traders.enabled
                    and traders.venue = feeds.venue
                    and traders."interval" = feeds."interval"
            ),
            'slots', jsonb_build_object(
                'expected_count', coalesce(counts.expected_count, 0),
                'done_count', coalesce(counts.done_count, 0),
                'missing_count', coalesce(counts.missing_count, 0)
            ),
            'signals_count', coalesce(counts.signals_count, 0)
        )
        order by feeds.venue, ops.interval_s(feeds."interval")
    ),
    '[]'
)
from feeds
left join public.feed_status as newest using (venue, "interval")
left join counts using (venue, "interval")
$$;
comment on function ops.status_feeds() is
    'Part of ops.status(): newest evaluated close and slots of the last hour per interval.';
revoke all on function ops.status_feeds() from public, anon, authenticated;
