create or replace function ops.insert_signals(run ops.runs, outcome jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Store what may be stored of outcome.signals, the overflow beside it and the outbox behind it.
-- One statement for all of them. In this order a signal is: dropped (its trader is disabled,
-- deleted or moved meanwhile), invalid, a duplicate, in cooldown, over the cap, new.
-- Returns the counts of each and the invalid ones as errors of their traders.
declare
    evaluated_at_ms bigint := coalesce(
        (outcome ->> 'evaluated_at_ms')::bigint, ops.to_ms(clock_timestamp())
    );
    age_ms bigint := greatest(evaluated_at_ms - ops.to_ms(run.closed_at), 0);
    signal_origin text := case
        when run.origin = 'backfill' then 'backfill'
        when (outcome ->> 'late')::boolean or age_ms > 10000 then 'late'
        else 'live'
    end;
    is_rerun boolean := run.finished_at is not null;
    result jsonb;
begin
    with sent as materialized (
        select
            item.trader_id,
            item.rule_version,
            item.instrument,
            item.trigger,
            case
                when length(item.price) <= 60
                    and item.price ~ '^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$'
                then item.price::numeric
            end as price,
            item."values",
            item.universe_order
        from rows from (
            jsonb_to_recordset(outcome -> 'signals') as (
                trader_id bigint, rule_version integer, instrument text, trigger text,
                price text, "values" jsonb
            )
        ) with ordinality as item (
            trader_id, rule_version, instrument, trigger, price, "values", universe_order
        )
    ),
    counted as materialized (
        select
            overflow.key::bigint as trader_id,
            overflow.value::integer as rest_count
        from jsonb_each_text(coalesce(outcome -> 'overflow', '{}')) as overflow
    ),
    running as materialized (
        select
            traders.id,
            traders.user_id,
            traders.version,
            traders.trigger,
            traders.cooldown_s,
            tiers.signals_per_close_max as cap,
            (
                select count(*)
                from public.signals
                where signals.trader_id = traders.id
                    and signals.closed_at = run.closed_at
                    and signals."interval" = run."interval"
            ) as stored_count
        from public.traders
        inner join public.profiles on profiles.user_id = traders.user_id
        inner join public.tiers on tiers.id = profiles.tier_id
        where traders.id in (select trader_id from sent union select trader_id from counted)
            and traders.enabled
            and traders.venue = run.venue
            and traders."interval" = run."interval"
            and (run.trader_id is null or traders.id = run.trader_id)
    ),
    judged as materialized (
        select
            sent.*,
            running.user_id,
            running.cap,
            running.stored_count,
            case
                when running.id is null then 'disabled'
                when not coalesce(
                    sent.price > 0
                    and ops.is_symbol(sent.instrument)
                    and sent.trigger in ('enter', 'exit', 'while')
                    and sent.rule_version between 1 and running.version
                    and jsonb_typeof(sent."values") = 'object'
                    and not jsonb_path_exists(sent."values", '$.* ? (@.type() != "number")')
                    and pg_column_size(sent."values") <= 16000,
                    false
                ) then 'invalid'
                when earlier.is_same
                    or row_number() over (
                        partition by sent.trader_id, sent.instrument, sent.trigger
                        order by sent.universe_order
                    ) > 1
                then 'duplicate'
                when running.cooldown_s > 0
                    and (
                        earlier.is_recent
                        or row_number() over (
                            partition by sent.trader_id, sent.instrument
                            order by sent.universe_order
                        ) > 1
                    )
                then 'cooldown'
                else 'new'
            end as verdict
        from sent
        left join running on running.id = sent.trader_id
        left join lateral (
            -- Signals of this trader and instrument within the cooldown up to this close; later
            -- ones do not count, so that a late slot is judged as it would have been in time.
            select
                bool_or(
                    signals.closed_at = run.closed_at
                    and signals."interval" = run."interval"
                    and signals.trigger = sent.trigger
                ) as is_same,
                bool_or(
                    signals.closed_at
                    > run.closed_at - make_interval(secs => running.cooldown_s)
                ) as is_recent
            from public.signals
            where signals.trader_id = sent.trader_id
                and signals.instrument = sent.instrument
                and signals.closed_at <= run.closed_at
                and signals.closed_at
                >= run.closed_at - make_interval(secs => running.cooldown_s)
        ) as earlier on true
    ),
    ranked as materialized (
        select
            judged.*,
            judged.stored_count + row_number() over (
                partition by judged.trader_id
                order by judged.universe_order
            ) <= judged.cap as is_within_cap
        from judged
        where judged.verdict = 'new'
    ),
    inserted as (
        insert into public.signals (
            user_id, trader_id, run_id, rule_version, venue, instrument, "interval", closed_at,
            trigger, origin, feed, price, "values", frame_revision, data_age_ms
        )
        select
            ranked.user_id, ranked.trader_id, run.id, ranked.rule_version, run.venue,
            ranked.instrument, run."interval", run.closed_at, ranked.trigger, signal_origin,
            outcome ->> 'feed', ranked.price, ranked."values",
            (outcome ->> 'frame_revision')::integer, age_ms
        from ranked
        where ranked.is_within_cap
        order by ranked.universe_order
        on conflict on constraint signals_happen_once do nothing
        returning signals.id, signals.user_id
    ),
    notified as (
        insert into ops.outbox (signal_id, user_id)
        select inserted.id, inserted.user_id
        from inserted
        where signal_origin in ('live', 'late')
    ),
    rest as materialized (
        select
            running.id as trader_id,
            running.user_id,
            running.trigger,
            sum(beyond.rest_count)::integer as rest_count
        from (
            select ranked.trader_id, 1 as rest_count
            from ranked
            where not ranked.is_within_cap
            union all
            select counted.trader_id, counted.rest_count
            from counted
        ) as beyond
        inner join running on running.id = beyond.trader_id
        group by running.id, running.user_id, running.trigger
        having sum(beyond.rest_count) > 0
    ),
    overflowed as (
        -- A second attempt looks only at what was missing in the first: its rest adds up.
        insert into public.signal_overflows as kept
            (trader_id, user_id, "interval", closed_at, trigger, rest_count)
        select
            rest.trader_id, rest.user_id, run."interval", run.closed_at, rest.trigger,
            rest.rest_count
        from rest
        on conflict (trader_id, "interval", closed_at) do update
        set rest_count = case
            when is_rerun then kept.rest_count + excluded.rest_count
            else greatest(kept.rest_count, excluded.rest_count)
        end
    )
    select jsonb_build_object(
        'inserted', (select count(*) from inserted),
        'duplicates', (
            select count(*) filter (where judged.verdict = 'duplicate')
            from judged
        ) + (select count(*) filter (where ranked.is_within_cap) from ranked)
        - (select count(*) from inserted),
        'cooldown', (select count(*) from judged where judged.verdict = 'cooldown'),
        'disabled', (select count(*) from judged where judged.verdict = 'disabled'),
        'overflow', (select coalesce(sum(rest.rest_count), 0) from rest),
        'errors', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'trader_id', judged.trader_id,
                'code', 'InvalidSignal',
                'message', format(
                    'expected a signal with a positive price and numbers as values, was %s at %s',
                    left(coalesce(judged.instrument, 'none'), 80),
                    coalesce(judged.price::text, 'no number')
                )
            )), '[]')
            from judged
            where judged.verdict = 'invalid'
        )
    )
    into result;
    return result;
end
$$;
comment on function ops.insert_signals(ops.runs, jsonb) is
    'Store the signals of an outcome under unique, cooldown and cap; returns the counts.';
revoke all on function ops.insert_signals(ops.runs, jsonb) from public, anon, authenticated;
