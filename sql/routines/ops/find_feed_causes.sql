create or replace function ops.find_feed_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
    -- One cause for each venue and interval on which a trader is enabled and whose next close
    -- should have been finished feed_stale_after_s ago. Counted from the newest finished close, or
    -- from the first enabling, whichever is later: before it nobody was owed anything.
    select
        'feed_stale',
        late.venue || ' ' || late."interval",
        'error',
        concat_ws(
            ' ',
            case
                when late.closed_at is null then format(
                    'No %s close of %s was evaluated yet; the first was due at %s UTC.',
                    late."interval", late.venue, to_char(late.due_at, 'YYYY-MM-DD HH24:MI')
                )
                else format(
                    'The newest evaluated %s close of %s is that of %s UTC; one of %s was due.',
                    late."interval", late.venue, to_char(late.closed_at, 'YYYY-MM-DD HH24:MI'),
                    to_char(late.due_at, 'HH24:MI')
                )
            end,
            case
                when ops.setting('signals_enabled') = 'off'
                then 'The kill switch signals_enabled is off.'
            end
        ),
        jsonb_build_object(
            'venue', late.venue,
            'interval', late."interval",
            'closed_at', late.closed_at,
            'due_at', late.due_at,
            'late_s', floor(extract(epoch from now() - late.due_at))
        )
    from (
        select
            due.venue,
            due."interval",
            newest.closed_at,
            date_bin(due.length, greatest(newest.closed_at, due.since), timestamptz 'epoch')
            + due.length as due_at
        from (
            select
                traders.venue,
                traders."interval",
                make_interval(secs => ops.interval_s(traders."interval")) as length,
                min(traders.enabled_at) as since
            from public.traders
            where traders.enabled
            group by traders.venue, traders."interval"
        ) as due
        left join public.feed_status as newest
            on newest.venue = due.venue and newest."interval" = due."interval"
    ) as late
    where late.due_at < now() - make_interval(
        secs => ops.setting('feed_stale_after_s')::integer
    )
    order by late.venue, ops.interval_s(late."interval");
$$;
comment on function ops.find_feed_causes() is
    'Causes feed_stale: intervals with enabled traders whose newest finished close is too old.';
revoke all on function ops.find_feed_causes() from public, anon, authenticated;
