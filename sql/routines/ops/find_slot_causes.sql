create or replace function ops.find_slot_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
    -- One cause for each venue and interval with slots that are missing or unfinished beyond
    -- watch_after_s. Only slots that a tick still makes up for (catch_up_slots_max): what is older
    -- cannot be mended, and after a night switched off it would be an alarm for a whole day.
    -- Closing such an incident by hand settles the slots it named.
    with slots as (
        select
            slots_missing.venue,
            slots_missing."interval",
            slots_missing.closed_at,
            case
                when bool_or(slots_missing.status = 'failed') then 'failed'
                else min(slots_missing.status)
            end as status,
            left(min(slots_missing.error), 200) as error
        from ops.slots_missing
        where slots_missing.closed_at > now() - make_interval(
            secs => ops.interval_s(slots_missing."interval")
            * (select ops.setting('catch_up_slots_max')::integer)
        )
        group by slots_missing.venue, slots_missing."interval", slots_missing.closed_at
    ),
    unsettled as (
        select
            slots.*,
            row_number() over (
                partition by slots.venue, slots."interval"
                order by slots.closed_at desc
            ) as place
        from slots
        where slots.closed_at > coalesce(
            (
                select max((settled.details ->> 'newest')::timestamptz)
                from ops.incidents as settled
                where settled.kind = 'slot_missing'
                    and settled.subject = slots.venue || ' ' || slots."interval"
                    and settled.closed_at is not null
                    and settled.closed_by <> 'watch'
            ),
            '-infinity'
        )
    ),
    found as (
        select
            unsettled.venue,
            unsettled."interval",
            count(*) as missing_count,
            count(*) filter (where unsettled.status = 'failed') as failed_count,
            min(unsettled.closed_at) as oldest,
            max(unsettled.closed_at) as newest,
            (array_agg(unsettled.error order by unsettled.closed_at desc)
                filter (where unsettled.error is not null))[1] as last_error,
            jsonb_agg(
                jsonb_build_object(
                    'closed_at', unsettled.closed_at,
                    'status', unsettled.status,
                    'error', unsettled.error
                )
                order by unsettled.closed_at desc
            ) filter (where unsettled.place <= 10) as newest_slots
        from unsettled
        group by unsettled.venue, unsettled."interval"
    )
    select
        'slot_missing',
        found.venue || ' ' || found."interval",
        case when found.failed_count > 0 then 'error' else 'warn' end,
        concat_ws(
            ' ',
            case found.missing_count
                when 1 then format(
                    'The %s close of %s UTC at %s is not evaluated.',
                    found."interval", to_char(found.oldest, 'YYYY-MM-DD HH24:MI'), found.venue
                )
                else format(
                    '%s closes of %s at %s are not evaluated, from %s to %s UTC.',
                    found.missing_count, found."interval", found.venue,
                    to_char(found.oldest, 'YYYY-MM-DD HH24:MI'),
                    to_char(found.newest, 'YYYY-MM-DD HH24:MI')
                )
            end,
            case
                when found.failed_count > 0
                then format('Given up after too many attempts: %s.', found.failed_count)
            end,
            case
                when ops.setting('signals_enabled') = 'off'
                then 'The kill switch signals_enabled is off.'
            end,
            'Last error: ' || found.last_error
        ),
        jsonb_build_object(
            'venue', found.venue,
            'interval', found."interval",
            'missing_count', found.missing_count,
            'failed_count', found.failed_count,
            'expected_count', (
                select slot_counts.expected_count
                from ops.slot_counts
                where slot_counts.venue = found.venue
                    and slot_counts."interval" = found."interval"
            ),
            'oldest', found.oldest,
            'newest', found.newest,
            'newest_slots', found.newest_slots
        )
    from found
    order by found.venue, ops.interval_s(found."interval");
$$;
comment on function ops.find_slot_causes() is
    'Causes slot_missing: closes that are missing or unfinished, per venue and interval.';
revoke all on function ops.find_slot_causes() from public, anon, authenticated;
