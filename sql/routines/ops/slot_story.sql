create or replace function ops.slot_story(
    venue text, "interval" text, closed_at timestamptz, lines_max integer default 200
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Return all that is known of a slot: {"slot", "is_missing", "runs", "ticks", "incidents",
-- "errors_count", "errors", "lines_count", "lines"}. Ticks are the runs of the schedule tick that
-- named one of its runs, and those of the minute after its close; incidents are the slot_missing
-- whose span holds its close; lines are those of its runs, and those that name its close.
-- All of them oldest first.
declare
    ids bigint[] := array(
        select runs.id
        from ops.runs
        where runs.venue = slot_story.venue
            and runs."interval" = slot_story."interval"
            and runs.closed_at = slot_story.closed_at
        order by runs.trader_id nulls first, runs.shard
    );
    named_ids jsonb[] := array(select to_jsonb(listed.id) from unnest(ids) as listed (id));
    story jsonb;
begin
    perform ops.keep_http_answers('tick');
    select jsonb_build_object(
        'slot', jsonb_build_object(
            'venue', venue, 'interval', "interval", 'closed_at', closed_at
        ),
        'is_missing', exists (
            select
            from ops.slots_missing
            where slots_missing.venue = slot_story.venue
                and slots_missing."interval" = slot_story."interval"
                and slots_missing.closed_at = slot_story.closed_at
        ),
        'runs', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'run_id', runs.id,
                        'shard', runs.shard,
                        'shard_count', runs.shard_count,
                        'trader_id', runs.trader_id,
                        'origin', runs.origin,
                        'status', runs.status,
                        'attempt', runs.attempt,
                        'opened_at', runs.opened_at,
                        'claimed_at', runs.claimed_at,
                        'claimed_by', runs.claimed_by,
                        'finished_at', runs.finished_at,
                        'feed', runs.feed,
                        'frame_revision', runs.frame_revision,
                        'complete', runs.complete,
                        'missing_count', cardinality(runs.missing_instruments),
                        'missing_instruments', to_jsonb(runs.missing_instruments[:20]),
                        'traders_count', runs.traders_count,
                        'signals_count', runs.signals_count,
                        'stats', runs.stats,
                        'error', runs.error
                    )
                    order by runs.trader_id nulls first, runs.shard
                ),
                '[]'
            )
            from ops.runs
            where runs.id = any (ids)
        ),
        'ticks', (
            select coalesce(jsonb_agg(to_jsonb(shown) order by shown.fired_at), '[]')
            from (
                select
                    ticks.started_at as fired_at,
                    ticks.status,
                    coalesce((told.answer ->> 'opened')::integer, 0) as opened_count,
                    coalesce((told.answer ->> 'dispatched')::integer, 0) as named_count,
                    (
                        select count(*)
                        from jsonb_array_elements(told.answer -> 'run_ids') as named (id)
                        where named.id = any (named_ids)
                    ) as named_of_slot_count,
                    ticks.request_id,
                    ticks.http_status,
                    ticks.http_error,
                    ticks.function_ms,
                    coalesce(ticks.error, told.answer ->> 'error') as error
                from ops.schedule_runs as ticks
                -- The row that `select ops.tick()` returns has one column of this name.
                cross join lateral (select ticks.answer -> 'tick') as told (answer)
                where ticks.schedule = 'tick'
                    and ticks.started_at >= slot_story.closed_at
                    and (
                        told.answer -> 'run_ids' @> any (named_ids)
                        or ticks.started_at < slot_story.closed_at + interval '60 seconds'
                    )
                order by ticks.started_at
                limit 20
            ) as shown
        ),
        'incidents', (
            select coalesce(jsonb_agg(to_jsonb(shown) order by shown.raised_at), '[]')
            from (
                select
                    incidents.id,
                    incidents.severity,
                    incidents.message,
                    incidents.raised_at,
                    incidents.closed_at,
                    incidents.closed_by
                from ops.incidents
                where incidents.kind = 'slot_missing'
                    and incidents.subject = slot_story.venue || ' ' || slot_story."interval"
                    and slot_story.closed_at
                    between (incidents.details ->> 'oldest')::timestamptz
                    and (incidents.details ->> 'newest')::timestamptz
                order by incidents.raised_at
                limit 20
            ) as shown
        ),
        'errors_count', (
            select count(*) from ops.run_errors where run_errors.run_id = any (ids)
        ),
        'errors', (
            select coalesce(jsonb_agg(to_jsonb(shown) order by shown.trader_id), '[]')
            from (
                select
                    run_errors.run_id,
                    run_errors.trader_id,
                    run_errors.code,
                    run_errors.message
                from ops.run_errors
                where run_errors.run_id = any (ids)
                order by run_errors.trader_id
                limit 20
            ) as shown
        )
    )
    into story;

    return story || (
        with about as (
            select function_logs.*
            from ops.function_logs
            where function_logs.run_id = any (ids)
            union
            select function_logs.*
            from ops.function_logs
            where function_logs.run_id is null
                and function_logs.logged_at
                between slot_story.closed_at - interval '10 seconds'
                and slot_story.closed_at + interval '10 minutes'
                and function_logs.fields ->> 'closed_at_ms' = ops.to_ms(closed_at)::text
                and coalesce(function_logs.fields ->> 'interval', "interval") = "interval"
        )
        select jsonb_build_object(
            'lines_count', (select count(*) from about),
            'lines', coalesce(
                jsonb_agg(
                    to_jsonb(shown) - 'id' - 'line_key' order by shown.logged_at, shown.id
                ),
                '[]'
            )
        )
        from (
            select about.*
            from about
            order by about.logged_at desc, about.id desc
            limit lines_max
        ) as shown
    );
end
$$;
comment on function ops.slot_story(text, text, timestamptz, integer) is
    'Everything known of a slot as one document: ticks, runs, incidents, errors, log lines.';
revoke all on function ops.slot_story(text, text, timestamptz, integer)
from public, anon, authenticated;
