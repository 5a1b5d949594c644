CREATE SCHEMA ops;

COMMENT ON SCHEMA ops IS 'Private: slots, runs, logs, settings. Reached by routines and SQL editors, never by REST.';

CREATE FUNCTION ops.apply_schedules(page jsonb) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
-- Make ops.schedules and, where pg_cron is, cron.job equal to the page: [{"name", "schedule",
-- "command", "description"}]. Jobs that an earlier page had and this one has not are unscheduled;
-- jobs nobody's page ever had are left alone and reported by ops.schedules_drift().
-- Returns how many jobs are on the page. Runs as its caller: jobs belong to whoever schedules.
declare
    has_cron boolean := to_regclass('cron.job') is not null;
    entry record;
begin
    for entry in
        delete from ops.schedules
        where schedules.name not in (
            select item ->> 'name' from jsonb_array_elements(page) as item
        )
        returning schedules.name
    loop
        if has_cron then
            execute
                'select cron.unschedule(jobid) from cron.job '
                'where jobname = $1 and database = current_database()'
            using entry.name;
        end if;
    end loop;
    for entry in
        select item.name, item.schedule, item.command, item.description
        from jsonb_to_recordset(page)
            as item (name text, schedule text, command text, description text)
        order by item.name
    loop
        insert into ops.schedules (name, schedule, command, description)
        values (entry.name, entry.schedule, entry.command, entry.description)
        on conflict (name) do update
        set
            schedule = excluded.schedule,
            command = excluded.command,
            description = excluded.description;
        if has_cron then
            -- Scheduling a name again replaces the job.
            execute 'select cron.schedule($1, $2, $3)'
            using entry.name, entry.schedule, entry.command;
        end if;
    end loop;
    return jsonb_array_length(page);
end
$_$;

COMMENT ON FUNCTION ops.apply_schedules(page jsonb) IS 'Make cron.job equal to the page sql/schedules.sql; returns the jobs on it, count.';

CREATE FUNCTION ops.is_symbol(symbol text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((length(symbol) >= 1) AND (length(symbol) <= 80)) AND (symbol !~ '[[:space:][:cntrl:]"'',{}\\]'::text));

COMMENT ON FUNCTION ops.is_symbol(symbol text) IS 'Whether a text can be a venue''s symbol: 1 to 80 characters, no blanks, quotes or commas. Venues list symbols outside ASCII too.';

CREATE FUNCTION ops.are_symbols(symbols text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (NOT (EXISTS (SELECT FROM unnest(are_symbols.symbols) listed(symbol) WHERE ((listed.symbol IS NULL) OR (NOT ops.is_symbol(listed.symbol))))));

COMMENT ON FUNCTION ops.are_symbols(symbols text[]) IS 'Whether every element is a symbol.';

CREATE FUNCTION ops.broadcast_signals() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
-- Ring each owner's door once a run: a private message with the newest rows, at most 50; the rest
-- is for the reader to select. Times as RFC 3339, the price as a string (it is no float).
-- The table is the truth: if the doorbell is missing or broken, that is a line in the log, and
-- the signals stay.
declare
    is_wired boolean := to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null;
begin
    if not exists (select from new_signals) then
        return null;
    end if;
    if not is_wired then
        perform ops.write_log(
            'warn', 'broadcast_skipped',
            jsonb_build_object('signals', (select count(*) from new_signals))
        );
        return null;
    end if;
    perform realtime.send(message.payload, 'signals', 'signals:' || message.user_id, true)
    from (
        select
            ranked.user_id,
            jsonb_build_object(
                'run_id', ranked.run_id,
                'count', count(*),
                'last_id', max(ranked.id),
                -- Whole rows as json, converted once: half the time of jsonb built row by row.
                'signals', json_agg(sent_row order by sent_row.id desc)
                    filter (where ranked.place <= 50)
            ) as payload
        from (
            select
                new_signals.*,
                row_number() over (
                    partition by new_signals.user_id, new_signals.run_id
                    order by new_signals.id desc
                ) as place
            from new_signals
        ) as ranked
        cross join lateral (
            select
                ranked.id,
                ranked.user_id,
                ranked.trader_id,
                ranked.run_id,
                ranked.rule_version,
                ranked.venue,
                ranked.instrument,
                ranked."interval",
                ranked.closed_at,
                ranked.trigger,
                ranked.origin,
                ranked.feed,
                ranked.price::text as price,
                ranked."values",
                ranked.frame_revision,
                ranked.data_age_ms,
                ranked.created_at
        ) as sent_row
        group by ranked.user_id, ranked.run_id
    ) as message;
    return null;
exception
    when others then
        perform ops.write_log(
            'error', 'broadcast_failed',
            jsonb_build_object('message', sqlerrm, 'code', sqlstate)
        );
        return null;
end
$$;

COMMENT ON FUNCTION ops.broadcast_signals() IS 'Trigger after signals are stored: one private message per user and run.';

CREATE FUNCTION ops.bump_traders_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Tell functions that the lists they keep are old. One row, so it is committed with its cause.
begin
    update ops.traders_revision
    set revision = traders_revision.revision + 1, changed_at = now();
    return null;
end
$$;

COMMENT ON FUNCTION ops.bump_traders_revision() IS 'Trigger after traders came or went, or a tier changed: claim_run''s lists differ now.';

CREATE FUNCTION ops.bump_traders_revision_if_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Most updates only count errors; those leave the lists of claim_run as they are.
begin
    if exists (
        select
        from new_rows
        inner join old_rows on old_rows.id = new_rows.id
        where (new_rows.enabled, new_rows.version, new_rows.enabled_at)
            is distinct from (old_rows.enabled, old_rows.version, old_rows.enabled_at)
    ) then
        update ops.traders_revision
        set revision = traders_revision.revision + 1, changed_at = now();
    end if;
    return null;
end
$$;

COMMENT ON FUNCTION ops.bump_traders_revision_if_changed() IS 'Trigger after an update of traders: bump the revision if a list of claim_run differs.';

CREATE FUNCTION ops.call_function(name text, body jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Post a signed body to a function and return the request's id (net._http_response).
-- Fire and forget: the call leaves when the transaction commits, and nothing here waits for it.
-- The signature covers `body::text`, which is byte for byte what is sent.
declare
    base_url text := ops.setting('functions_url');
    stamp text := floor(extract(epoch from clock_timestamp()))::bigint::text;
    signature text;
begin
    if base_url = '' then
        raise sqlstate 'PT500' using
            message = 'expected functions_url to be set, was empty',
            hint = 'update ops.settings set value = ''…'' where name = ''functions_url'';';
    end if;
    if to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null then
        raise sqlstate 'PT500' using
            message = 'expected net.http_post, found none',
            hint = 'create extension pg_net;';
    end if;
    signature := encode(
        extensions.hmac(stamp || '.' || body::text, ops.secret('function_secret'), 'sha256'), 'hex'
    );
    return net.http_post(
        url := base_url || '/' || name,
        body := body,
        headers := jsonb_build_object(
            'Content-Type', 'application/json',
            'x-closebell-timestamp', stamp,
            'x-closebell-signature', signature
        ),
        timeout_milliseconds := 30000
    );
end
$$;

COMMENT ON FUNCTION ops.call_function(name text, body jsonb) IS 'Post a signed JSON body to functions_url/name through pg_net; returns its request id.';

CREATE FUNCTION ops.check_outcome(outcome jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
-- Return an outcome with every part present and of its kind, or refuse it (PT400, the part in
-- the hint). What only some runs have may be left out: signals, overflow, errors, stats,
-- missing_instruments.
declare
    whole jsonb := jsonb_build_object(
        'signals', '[]'::jsonb, 'overflow', '{}'::jsonb, 'errors', '[]'::jsonb,
        'stats', '{}'::jsonb, 'missing_instruments', '[]'::jsonb, 'late', false,
        'traders_count', 0
    ) || outcome;
    part record;
begin
    for part in
        select expected.name, expected.kind
        from (
            values
                ('feed', 'string'), ('frame_revision', 'number'), ('complete', 'boolean'),
                ('missing_instruments', 'array'), ('traders_count', 'number'),
                ('evaluated_at_ms', 'number'), ('late', 'boolean'), ('signals', 'array'),
                ('overflow', 'object'), ('errors', 'array'), ('stats', 'object')
        ) as expected (name, kind)
        where jsonb_typeof(whole -> expected.name) is distinct from expected.kind
    loop
        raise sqlstate 'PT400' using
            message = format(
                'expected %s to be a JSON %s, was %s',
                part.name, part.kind, coalesce(jsonb_typeof(whole -> part.name), 'missing')
            ),
            hint = part.name;
    end loop;
    return whole;
end
$$;

COMMENT ON FUNCTION ops.check_outcome(outcome jsonb) IS 'The outcome of a run with every part present, or PT400 with the wrong part in the hint.';

CREATE FUNCTION ops.check_trader_fields(trader jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $_$
-- Return the fields of a trader, its name trimmed, or refuse them (PT400, the field in the hint):
-- an unknown or misspelt one, one of another kind, and one that a new trader lacks.
-- Lengths and lists of words are the table's constraints.
declare
    wrong record;
begin
    select
        coalesce(expected.name, given.key) as field,
        case
            when expected.name is null then 'expected no such field'
            when given.key is null then 'expected it, was missing'
            else format('expected %s, was %s', expected.words, left(given.value::text, 100))
        end as problem
    into wrong
    from (
        values
            ('id', '^(null|"?[1-9][0-9]{0,17}"?)$', 'a whole number', false),
            ('name', '^"', 'a text', true),
            ('description', '^"', 'a text', false),
            ('rule', '^"', 'a text', true),
            ('venue', '^"', 'a text', true),
            ('universe', '^(null|\[("[^"]*"(, )?)+\])$', 'null or a list of symbols', false),
            ('interval', '^"', 'a text', true),
            ('trigger', '^"', 'a text', true),
            ('cooldown_s', '^[0-9]{1,9}$', 'whole seconds from 0', false),
            ('enabled', '^(true|false)$', 'true or false', false)
    ) as expected (name, pattern, words, is_needed)
    full join jsonb_each(trader) as given on given.key = expected.name
    where expected.name is null
        or (given.key is null and expected.is_needed and trader ->> 'id' is null)
        or given.value::text !~ expected.pattern
    order by expected.name
    limit 1;
    if wrong.field is not null then
        raise sqlstate 'PT400' using
            message = format('%s: %s', wrong.field, wrong.problem),
            hint = left(wrong.field, 100);
    end if;
    if trader ? 'name' then
        trader := jsonb_set(trader, '{name}', to_jsonb(btrim(trader ->> 'name')));
    end if;
    return trader;
end
$_$;

COMMENT ON FUNCTION ops.check_trader_fields(trader jsonb) IS 'The fields of a trader as store_trader takes them, or PT400 with the field in the hint.';

CREATE FUNCTION ops.check_trader_quota(user_id uuid, is_inserted boolean, is_enabled boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Refuse (PT403) one more stored or one more enabled trader over the quota of the user's tier.
-- Rows are counted under a lock: there is no counter that could be talked out of step.
declare
    tier public.tiers := ops.lock_tier(check_trader_quota.user_id);
    stored_max integer := tier.traders_max * ops.setting('stored_traders_per_enabled')::integer;
    stored_count integer;
    enabled_count integer;
begin
    if tier.traders_max is null then
        return;
    end if;
    select count(*), count(*) filter (where traders.enabled)
    into stored_count, enabled_count
    from public.traders
    where traders.user_id = check_trader_quota.user_id;
    if is_enabled and enabled_count >= tier.traders_max then
        raise sqlstate 'PT403' using
            message = format(
                'expected at most %s enabled traders in tier %s, was %s already',
                tier.traders_max, tier.id, enabled_count
            ),
            hint = 'disable or delete a trader first, or change to a larger tier',
            detail = 'traders_max';
    end if;
    if is_inserted and stored_count >= stored_max then
        raise sqlstate 'PT403' using
            message = format(
                'expected at most %s stored traders in tier %s, was %s already',
                stored_max, tier.id, stored_count
            ),
            hint = 'delete a trader first, or change to a larger tier',
            detail = 'stored_traders_per_enabled';
    end if;
end
$$;

COMMENT ON FUNCTION ops.check_trader_quota(user_id uuid, is_inserted boolean, is_enabled boolean) IS 'Refuse with PT403 what would exceed the quota of the user''s tier.';

CREATE FUNCTION ops.create_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Give a new user a profile. Nothing the user sent is used: tier and rights are not theirs to say.
begin
    insert into public.profiles (user_id, tier_id)
    values (new.id, ops.setting('default_tier'))
    on conflict (user_id) do nothing;
    return null;
end
$$;

COMMENT ON FUNCTION ops.create_profile() IS 'Trigger on auth.users: a profile for each new user.';

CREATE FUNCTION ops.enforce_tier_quota() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- After a change to a smaller tier (of one user, or of the tier itself): keep the newest traders
-- enabled, disable the oldest, and tell their owner why.
begin
    with tier as (
        select
            profiles.user_id,
            tiers.id,
            tiers.traders_max
        from public.profiles
        inner join public.tiers on tiers.id = profiles.tier_id
        where tiers.traders_max is not null
            and case tg_table_name
                when 'profiles' then profiles.user_id::text = to_jsonb(new) ->> 'user_id'
                else profiles.tier_id = to_jsonb(new) ->> 'id'
            end
    ),
    ranked as (
        select
            traders.id,
            tier.id as tier_id,
            tier.traders_max,
            row_number() over (
                partition by traders.user_id
                order by traders.created_at desc, traders.id desc
            ) as place
        from tier
        inner join public.traders on traders.user_id = tier.user_id and traders.enabled
    ),
    excess as (
        -- In order of id, as emissions lock them: no deadlock.
        select
            traders.id,
            ranked.tier_id,
            ranked.traders_max
        from ranked
        inner join public.traders on traders.id = ranked.id
        where ranked.place > ranked.traders_max
        order by traders.id
        for no key update of traders
    )
    update public.traders
    set
        enabled = false,
        disabled_reason = format(
            'disabled because tier %s allows %s enabled traders; the oldest were disabled',
            excess.tier_id, excess.traders_max
        )
    from excess
    where traders.id = excess.id;
    return null;
end
$$;

COMMENT ON FUNCTION ops.enforce_tier_quota() IS 'Trigger after a tier change: disable the oldest traders over the new quota.';

CREATE FUNCTION ops.from_ms(instant_ms bigint) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp((((instant_ms)::numeric / 1000.0))::double precision);

COMMENT ON FUNCTION ops.from_ms(instant_ms bigint) IS 'The instant of milliseconds since the Unix epoch.';

CREATE FUNCTION ops.guard_trader() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Hold what must be true of a trader whoever writes it: quota at insert and at each enabling
-- (so that disabling and enabling again is no way around it), owner, version, since when.
declare
    is_inserted boolean := tg_op = 'INSERT';
    is_started boolean := new.enabled and (is_inserted or not old.enabled);
    is_changed boolean := false;
    is_moved boolean := false;
begin
    if is_inserted or is_started then
        perform ops.check_trader_quota(new.user_id, is_inserted, is_started);
    end if;
    if is_inserted then
        if new.enabled then
            new.enabled_at := coalesce(new.enabled_at, now());
        end if;
        return new;
    end if;

    if new.user_id <> old.user_id then
        raise sqlstate 'PT400' using
            message = 'expected the owner of a trader to stay, was changed',
            hint = 'user_id';
    end if;
    is_moved := (new.venue, new."interval") is distinct from (old.venue, old."interval");
    is_changed := is_moved
        or (new.rule, new.universe, new.trigger, new.cooldown_s)
        is distinct from (old.rule, old.universe, old.trigger, old.cooldown_s);
    new.version := old.version + is_changed::integer;
    if is_started or is_changed then
        -- Failures of an older version say nothing about this one.
        new.error_count := 0;
        new.last_error := null;
    end if;
    if is_started then
        new.disabled_reason := null;
    end if;
    -- Closes of another interval were never owed: without this a tick would catch up on them.
    if (is_started or (is_moved and new.enabled))
        and new.enabled_at is not distinct from old.enabled_at
    then
        new.enabled_at := now();
    end if;
    if (new.name, new.description, new.enabled, new.version)
        is distinct from (old.name, old.description, old.enabled, old.version)
    then
        new.updated_at := now();
    end if;
    return new;
end
$$;

COMMENT ON FUNCTION ops.guard_trader() IS 'Trigger before a trader is written: quota, owner, version, enabled_at.';

CREATE FUNCTION ops.interval_s("interval" text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE "interval" WHEN '1m'::text THEN 60 WHEN '3m'::text THEN 180 WHEN '5m'::text THEN 300 WHEN '15m'::text THEN 900 WHEN '30m'::text THEN 1800 WHEN '1h'::text THEN 3600 WHEN '2h'::text THEN 7200 WHEN '4h'::text THEN 14400 WHEN '6h'::text THEN 21600 WHEN '8h'::text THEN 28800 WHEN '12h'::text THEN 43200 WHEN '1d'::text THEN 86400 ELSE NULL::integer END;

COMMENT ON FUNCTION ops.interval_s("interval" text) IS 'Length of a kline interval in seconds; null if there is no such interval.';

CREATE FUNCTION ops.is_close("interval" text, instant timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((EXTRACT(epoch FROM (instant AT TIME ZONE 'UTC'::text)) % (ops.interval_s("interval"))::numeric) = (0)::numeric);

COMMENT ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) IS 'Whether klines of the interval close at that instant (all align to the UTC epoch).';

CREATE TABLE ops.runs (
    id bigint NOT NULL,
    function text DEFAULT 'execute_traders'::text NOT NULL,
    venue text NOT NULL,
    "interval" text NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    shard integer DEFAULT 0 NOT NULL,
    shard_count integer DEFAULT 1 NOT NULL,
    trader_id bigint,
    origin text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    claim_token uuid,
    claimed_by text,
    claimed_at timestamp with time zone,
    lease_until timestamp with time zone,
    finished_at timestamp with time zone,
    feed text,
    frame_revision integer,
    complete boolean,
    missing_instruments text[] DEFAULT '{}'::text[] NOT NULL,
    traders_count integer,
    signals_count integer DEFAULT 0 NOT NULL,
    stats jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT runs_attempt_is_not_negative CHECK ((attempt >= 0)),
    CONSTRAINT runs_claimed_by_is_bounded CHECK (((length(claimed_by) >= 1) AND (length(claimed_by) <= 200))),
    CONSTRAINT runs_claimed_has_a_holder CHECK (((status <> 'claimed'::text) OR ((claim_token IS NOT NULL) AND (claimed_at IS NOT NULL) AND (lease_until IS NOT NULL)))),
    CONSTRAINT runs_closed_at_is_a_close CHECK (ops.is_close("interval", closed_at)),
    CONSTRAINT runs_complete_misses_nothing CHECK ((NOT (complete AND (cardinality(missing_instruments) > 0)))),
    CONSTRAINT runs_error_is_bounded CHECK ((length(error) <= 2000)),
    CONSTRAINT runs_feed_is_known CHECK ((feed = ANY (ARRAY['live'::text, 'simulated'::text, 'replay'::text]))),
    CONSTRAINT runs_finished_has_a_result CHECK (((status <> 'finished'::text) OR ((finished_at IS NOT NULL) AND (feed IS NOT NULL) AND (frame_revision IS NOT NULL) AND (complete IS NOT NULL)))),
    CONSTRAINT runs_frame_revision_is_positive CHECK ((frame_revision >= 1)),
    CONSTRAINT runs_function_is_a_word CHECK ((function ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT runs_interval_is_known CHECK ((ops.interval_s("interval") IS NOT NULL)),
    CONSTRAINT runs_missing_instruments_are_symbols CHECK (((cardinality(missing_instruments) <= 5000) AND ops.are_symbols(missing_instruments))),
    CONSTRAINT runs_of_one_trader_have_one_shard CHECK (((trader_id IS NULL) OR (shard_count = 1))),
    CONSTRAINT runs_origin_is_known CHECK ((origin = ANY (ARRAY['live'::text, 'backfill'::text]))),
    CONSTRAINT runs_shard_is_one_of_its_count CHECK (((shard >= 0) AND (shard < shard_count))),
    CONSTRAINT runs_signals_count_is_not_negative CHECK ((signals_count >= 0)),
    CONSTRAINT runs_stats_is_object CHECK ((jsonb_typeof(stats) = 'object'::text)),
    CONSTRAINT runs_status_is_known CHECK ((status = ANY (ARRAY['open'::text, 'claimed'::text, 'finished'::text, 'failed'::text]))),
    CONSTRAINT runs_traders_count_is_not_negative CHECK ((traders_count >= 0)),
    CONSTRAINT runs_venue_is_known CHECK ((venue = 'binance'::text))
);

COMMENT ON TABLE ops.runs IS 'One row per (function, venue, interval, close, shard): what is owed, who holds it, what came of it. open → claimed → finished; back to open when the lease ends; failed after too many.';

COMMENT ON COLUMN ops.runs.id IS 'Identity.';

COMMENT ON COLUMN ops.runs.function IS 'Function that does the work.';

COMMENT ON COLUMN ops.runs.venue IS 'Venue id.';

COMMENT ON COLUMN ops.runs."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.runs.closed_at IS 'The slot: the instant its klines closed, UTC.';

COMMENT ON COLUMN ops.runs.shard IS 'This run''s traders have id % shard_count = shard.';

COMMENT ON COLUMN ops.runs.shard_count IS 'Shards of this slot, count.';

COMMENT ON COLUMN ops.runs.trader_id IS 'The one trader of a run by hand or after a save; null: all traders of the shard.';

COMMENT ON COLUMN ops.runs.origin IS 'live, or backfill: opened more than 90 s after its close.';

COMMENT ON COLUMN ops.runs.status IS 'open, claimed, finished, failed.';

COMMENT ON COLUMN ops.runs.attempt IS 'Claims so far, count.';

COMMENT ON COLUMN ops.runs.claim_token IS 'What the holder shows to finish; null: never claimed.';

COMMENT ON COLUMN ops.runs.claimed_by IS 'Name of the last holder; null: never claimed.';

COMMENT ON COLUMN ops.runs.claimed_at IS 'When it was claimed last, UTC; null: never.';

COMMENT ON COLUMN ops.runs.lease_until IS 'When the claim ends, UTC; null: nobody holds it.';

COMMENT ON COLUMN ops.runs.finished_at IS 'When signals were stored last, UTC; null: not yet.';

COMMENT ON COLUMN ops.runs.feed IS 'Where the data came from: live, simulated, replay.';

COMMENT ON COLUMN ops.runs.frame_revision IS 'Revision of the frame that was evaluated, from 1.';

COMMENT ON COLUMN ops.runs.complete IS 'Whether every instrument was there; false: evaluated again when the rest comes.';

COMMENT ON COLUMN ops.runs.missing_instruments IS 'Symbols still to be evaluated for this slot.';

COMMENT ON COLUMN ops.runs.traders_count IS 'Traders evaluated, count.';

COMMENT ON COLUMN ops.runs.signals_count IS 'Signals stored by this run in all attempts, count.';

COMMENT ON COLUMN ops.runs.stats IS 'Milliseconds of each stage, and under "emitted" the counts of the last emission.';

COMMENT ON COLUMN ops.runs.error IS 'Text of the last failed attempt; null: none.';

COMMENT ON COLUMN ops.runs.opened_at IS 'When the row was made, UTC.';

CREATE FUNCTION ops.insert_signals(run ops.runs, outcome jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
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
$_$;

COMMENT ON FUNCTION ops.insert_signals(run ops.runs, outcome jsonb) IS 'Store the signals of an outcome under unique, cooldown and cap; returns the counts.';

CREATE FUNCTION ops.keep_trader_version() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Write down what a version says, at the moment it begins.
begin
    if tg_op = 'UPDATE' and new.version = old.version then
        return null;
    end if;
    insert into public.trader_versions
        (trader_id, version, name, rule, venue, universe, "interval", trigger, cooldown_s)
    values
        (new.id, new.version, new.name, new.rule, new.venue, new.universe, new."interval",
            new.trigger, new.cooldown_s);
    return null;
end
$$;

COMMENT ON FUNCTION ops.keep_trader_version() IS 'Trigger after a trader is written: its history in trader_versions.';

CREATE FUNCTION ops.list_claimable_runs(at timestamp with time zone) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- The runs a tick asks for, oldest close first: open ones, claims that ended, and finished
    -- ones whose missing instruments may have come. At most dispatch_runs_max; slots of the last
    -- 90 s always have a place, so that a backlog cannot keep the newest close waiting.
    -- Finished ones are named after about 1, 2, 4, … minutes, so that an instrument that stays away
    -- for hours costs a handful of attempts and not one a minute.
    -- A setting in a subselect is read once, not once a row.
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'run_id', chosen.id,
                'venue', chosen.venue,
                'interval', chosen."interval",
                'closed_at_ms', ops.to_ms(chosen.closed_at),
                'shard', chosen.shard
            )
            order by chosen.closed_at, chosen.id
        ),
        '[]'
    )
    from (
        select
            runs.id,
            runs.venue,
            runs."interval",
            runs.closed_at,
            runs.shard
        from ops.runs
        where (runs.status in ('open', 'claimed') or not runs.complete)
            and (
                runs.status = 'open'
                or (runs.status = 'claimed' and runs.lease_until < at)
                or (
                    runs.status = 'finished'
                    and runs.attempt < (select ops.setting('late_attempts_max')::integer)
                    and runs.finished_at
                    < at - interval '50 seconds' * power(2, greatest(runs.attempt, 1) - 1)
                    and runs.opened_at > at - make_interval(
                        secs => ops.interval_s(runs."interval")
                        * (select ops.setting('catch_up_slots_max')::integer)
                    )
                )
            )
        order by
            runs.closed_at > at - interval '90 seconds' desc,
            runs.closed_at,
            runs.id
        limit ops.setting('dispatch_runs_max')::integer
    ) as chosen;
$$;

COMMENT ON FUNCTION ops.list_claimable_runs(at timestamp with time zone) IS 'What a tick dispatches: unfinished runs as a JSON array, oldest close first, bounded.';

CREATE FUNCTION ops.list_traders(venue text, "interval" text, shard integer, shard_count integer, trader_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- The enabled traders of one shard, or the one named, as a JSON array in order of id.
    -- Built as json and converted once: half the time of building jsonb piece by piece.
    -- Stable: sees the same rows as the statement that calls it.
    select coalesce(
        json_agg(
            json_build_object(
                'id', traders.id,
                'user_id', traders.user_id,
                'rule', traders.rule,
                'universe', traders.universe,
                'trigger', traders.trigger,
                'cooldown_s', traders.cooldown_s,
                'version', traders.version,
                'enabled_at_ms', ops.to_ms(traders.enabled_at),
                'signals_per_close_max', tiers.signals_per_close_max
            )
            order by traders.id
        )::jsonb,
        '[]'
    )
    from public.traders
    inner join public.profiles on profiles.user_id = traders.user_id
    inner join public.tiers on tiers.id = profiles.tier_id
    where traders.venue = list_traders.venue
        and traders."interval" = list_traders."interval"
        and traders.enabled
        and case
            when list_traders.trader_id is null
            then traders.id % list_traders.shard_count = list_traders.shard
            else traders.id = list_traders.trader_id
        end;
$$;

COMMENT ON FUNCTION ops.list_traders(venue text, "interval" text, shard integer, shard_count integer, trader_id bigint) IS 'Enabled traders of a shard, or the one named, as claim_run hands them out.';

CREATE FUNCTION ops.lock_claimed_run(run_id bigint, claim_token uuid) RETURNS ops.runs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return a run for its holder and lock it; PT404 if there is none, PT409 if somebody else holds
-- it or it is over. A holder whose lease has ended is still the holder until another claims.
declare
    run ops.runs;
begin
    select runs.*
    into run
    from ops.runs
    where runs.id = lock_claimed_run.run_id
    for update;
    if run.id is null then
        raise sqlstate 'PT404' using
            message = format('expected a run %s, found none', run_id),
            hint = 'run_id';
    end if;
    if run.claim_token is distinct from lock_claimed_run.claim_token or run.status = 'failed' then
        raise sqlstate 'PT409' using
            message = format(
                'expected run %s to be held with this token, was %s by %s',
                run_id, run.status, coalesce(run.claimed_by, 'nobody')
            ),
            hint = 'claim the run anew';
    end if;
    return run;
end
$$;

COMMENT ON FUNCTION ops.lock_claimed_run(run_id bigint, claim_token uuid) IS 'A run, locked, for the holder of its claim token; PT404, PT409.';

CREATE TABLE public.tiers (
    id text NOT NULL,
    traders_max integer,
    signals_per_close_max integer NOT NULL,
    requests_per_minute integer NOT NULL,
    CONSTRAINT tiers_id_is_known CHECK ((id = ANY (ARRAY['free'::text, 'pro'::text, 'elite'::text]))),
    CONSTRAINT tiers_requests_per_minute_is_positive CHECK ((requests_per_minute > 0)),
    CONSTRAINT tiers_signals_per_close_max_is_positive CHECK ((signals_per_close_max > 0)),
    CONSTRAINT tiers_traders_max_is_positive CHECK ((traders_max > 0))
);

COMMENT ON TABLE public.tiers IS 'What each tier allows. Enforced in the database, see ops.guard_trader.';

COMMENT ON COLUMN public.tiers.id IS 'Name of the tier.';

COMMENT ON COLUMN public.tiers.traders_max IS 'Traders enabled at once, count; null: no limit.';

COMMENT ON COLUMN public.tiers.signals_per_close_max IS 'Signals stored per trader and close, count; the rest is counted in signal_overflows.';

COMMENT ON COLUMN public.tiers.requests_per_minute IS 'Requests to the functions a minute, count.';

CREATE FUNCTION ops.lock_tier(user_id uuid) RETURNS public.tiers
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return the tier of a user and hold the user's profile until the transaction ends, so that
-- quota checks of one user are taken one after the other. Null for an unknown user.
-- Two statements: after a wait, the second one sees the tier that the other transaction set.
declare
    locked_tier_id text;
    tier public.tiers;
begin
    select profiles.tier_id
    into locked_tier_id
    from public.profiles
    where profiles.user_id = lock_tier.user_id
    for no key update;
    select tiers.*
    into tier
    from public.tiers
    where tiers.id = locked_tier_id;
    return tier;
end
$$;

COMMENT ON FUNCTION ops.lock_tier(user_id uuid) IS 'The tier of a user, with the profile locked.';

CREATE FUNCTION ops.open_due_slots(at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Make the slots that are owed by now and have no run: the newest, and those that missed ticks
-- left behind. Returns how many runs were made.
-- Looked for by their absence, not counted on from the last one: a gap behind a newer slot is
-- found too. Bounded by catch_up_slots_max, by what retention keeps, and by the earliest
-- enabled_at (before it nobody was owed anything).
declare
    due record;
    opened_count integer := 0;
begin
    for due in
        select
            traders.venue,
            traders."interval",
            min(traders.enabled_at) as since,
            make_interval(secs => ops.interval_s(traders."interval")) as length
        from public.traders
        where traders.enabled
        group by traders.venue, traders."interval"
        order by traders.venue, traders."interval"
    loop
        opened_count := opened_count + ops.open_runs(
            due.venue,
            due."interval",
            array(
                select slot.closed_at
                from generate_series(
                    date_bin(due.length, at, timestamptz 'epoch')
                    - due.length * (ops.setting('catch_up_slots_max')::integer - 1),
                    at,
                    due.length
                ) as slot (closed_at)
                where slot.closed_at >= due.since
                    and slot.closed_at > at - make_interval(
                        days => ops.setting('log_retention_days')::integer - 1
                    )
                order by slot.closed_at
            ),
            at
        );
    end loop;
    return opened_count;
end
$$;

COMMENT ON FUNCTION ops.open_due_slots(at timestamp with time zone) IS 'Make the runs of all slots owed by an instant, bounded; returns their count.';

CREATE FUNCTION ops.open_runs(venue text, "interval" text, closed_ats timestamp with time zone[], opened_at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Make the runs of slots that have none, one a shard, and return how many were made.
-- A slot's shards are made at once and under a lock: its shard count can never be two numbers.
-- Nothing is made while no trader is enabled on the interval.
declare
    shards_count integer;
    opened_count integer;
begin
    perform pg_advisory_xact_lock(
        hashtextextended('closebell.open_runs:' || venue || ':' || "interval", 0)
    );
    select ceil(count(*)::numeric / ops.setting('shard_traders_max')::integer)
    into shards_count
    from public.traders
    where traders.venue = open_runs.venue
        and traders."interval" = open_runs."interval"
        and traders.enabled;

    insert into ops.runs (venue, "interval", closed_at, shard, shard_count, origin, opened_at)
    select
        open_runs.venue,
        open_runs."interval",
        slot.closed_at,
        shards.shard,
        shards_count,
        case
            when open_runs.opened_at - slot.closed_at > interval '90 seconds' then 'backfill'
            else 'live'
        end,
        open_runs.opened_at
    from unnest(closed_ats) as slot (closed_at)
    cross join generate_series(0, shards_count - 1) as shards (shard)
    where not exists (
        select
        from ops.runs
        where runs.venue = open_runs.venue
            and runs."interval" = open_runs."interval"
            and runs.closed_at = slot.closed_at
            and runs.trader_id is null
    );
    get diagnostics opened_count = row_count;
    return opened_count;
end
$$;

COMMENT ON FUNCTION ops.open_runs(venue text, "interval" text, closed_ats timestamp with time zone[], opened_at timestamp with time zone) IS 'Make the missing runs of slots (one a shard); returns their count.';

CREATE FUNCTION ops.open_trader_run(venue text, "interval" text, closed_at timestamp with time zone, trader_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Make the run of one trader for one slot (after a save, or by hand). One that is over is opened
-- anew if the trader was changed after it was claimed: the new rule has not been evaluated there.
declare
    changed_at timestamptz;
begin
    select traders.updated_at
    into changed_at
    from public.traders
    where traders.id = open_trader_run.trader_id
        and traders.venue = open_trader_run.venue
        and traders."interval" = open_trader_run."interval";
    if changed_at is null then
        raise sqlstate 'PT404' using
            message = format(
                'expected a trader %s on %s %s, found none', trader_id, venue, "interval"
            ),
            hint = 'trader_id';
    end if;
    insert into ops.runs as kept (venue, "interval", closed_at, trader_id, origin)
    values (
        open_trader_run.venue,
        open_trader_run."interval",
        open_trader_run.closed_at,
        open_trader_run.trader_id,
        case
            when now() - open_trader_run.closed_at > interval '90 seconds'
            then 'backfill'
            else 'live'
        end
    )
    on conflict on constraint runs_slot_is_unique do update
    set
        status = 'open',
        attempt = 0,
        claim_token = null,
        lease_until = null,
        finished_at = null,
        frame_revision = null,
        complete = null,
        missing_instruments = '{}',
        error = null,
        origin = excluded.origin,
        opened_at = now()
    where kept.status in ('finished', 'failed')
        and coalesce(kept.claimed_at, kept.opened_at) <= changed_at;
end
$$;

COMMENT ON FUNCTION ops.open_trader_run(venue text, "interval" text, closed_at timestamp with time zone, trader_id bigint) IS 'Make, or open again, the run of one trader for one slot; PT404 if there is no such trader.';

CREATE FUNCTION ops.refuse_empty_write() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- A write by a user that row level security reduced to nothing is an error, not a success with
-- 0 rows. Runs as the user (no security definer), so that cascades of the owner pass.
begin
    if current_user in ('anon', 'authenticated') and not exists (select from touched_rows) then
        raise sqlstate 'PT404' using
            message = format(
                'expected to %s a row of %s, found none of yours',
                lower(tg_op), tg_table_name
            ),
            hint = 'it does not exist, or belongs to somebody else';
    end if;
    return null;
end
$$;

COMMENT ON FUNCTION ops.refuse_empty_write() IS 'Trigger after a user''s update or delete: PT404 if it touched no row.';

CREATE FUNCTION ops.rescue_runs(at timestamp with time zone DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Free runs whose holder has been silent beyond its lease, and give up on runs that were tried
-- too often or whose data is gone. A run that had finished once only loses its late attempt.
-- Returns how many rows changed; each is a line in ops.function_logs.
declare
    rescued_count integer;
begin
    with stale as (
        select
            runs.id,
            case
                when runs.finished_at is not null then 'finished'
                when runs.attempt >= (select ops.setting('run_attempts_max')::integer) then 'failed'
                when runs.opened_at < at - make_interval(
                    secs => ops.interval_s(runs."interval")
                    * (select ops.setting('catch_up_slots_max')::integer)
                ) then 'failed'
                else 'open'
            end as next_status
        from ops.runs
        where runs.status = 'open' or (runs.status = 'claimed' and runs.lease_until < at)
        order by runs.id
        for update skip locked
    ),
    rescued as (
        update ops.runs
        set
            status = stale.next_status,
            lease_until = null,
            error = case stale.next_status
                when 'failed' then left(
                    coalesce('gave up; before: ' || runs.error, 'gave up: never finished'), 2000
                )
                else format('rescued: %s was silent for its whole lease', runs.claimed_by)
            end
        from stale
        where runs.id = stale.id and runs.status <> stale.next_status
        returning runs.id, runs.status, runs.attempt, runs.error
    ),
    logged as (
        insert into ops.function_logs (source, level, event, run_id, fields)
        select
            'postgres',
            case rescued.status when 'failed' then 'error' else 'warn' end,
            case rescued.status when 'failed' then 'run_failed' else 'run_rescued' end,
            rescued.id,
            jsonb_build_object('attempt', rescued.attempt, 'error', rescued.error)
        from rescued
        returning function_logs.id
    )
    select count(*)
    into rescued_count
    from logged;
    return rescued_count;
end
$$;

COMMENT ON FUNCTION ops.rescue_runs(at timestamp with time zone) IS 'Scheduled each minute: free runs whose lease ended, fail those beyond hope; returns how many.';

CREATE FUNCTION ops.schedules_drift() RETURNS TABLE(name text, problem text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
-- Compare cron.job with the page sql/schedules.sql: missing, different, paused, unknown jobs.
-- Empty when they agree. Without pg_cron every job of the page is missing.
begin
    if to_regclass('cron.job') is null then
        return query
        select schedules.name, 'missing: pg_cron is not installed in this database'
        from ops.schedules;
        return;
    end if;
    return query execute $query$
        select
            coalesce(page.name, job.jobname, 'job ' || job.jobid),
            case
                when job.jobid is null then 'missing'
                when page.name is null then 'not on the page: ' || job.command
                when not job.active then 'paused'
                else format('differs: %s, %s', job.schedule, job.command)
            end
        from ops.schedules as page
        full join (select * from cron.job where database = current_database()) as job
            on job.jobname = page.name
        where job.jobid is null
            or page.name is null
            or not job.active
            or (job.schedule, job.command) is distinct from (page.schedule, page.command)
        order by 1
    $query$;
end
$_$;

COMMENT ON FUNCTION ops.schedules_drift() IS 'Jobs in cron.job that differ from sql/schedules.sql; empty when they agree.';

CREATE FUNCTION ops.secret(name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
-- Return a secret from Vault; from ops.local_secrets only where there is no Vault.
declare
    vault regclass := to_regclass('vault.decrypted_secrets');
    found_secret text;
begin
    if vault is not null then
        execute format('select decrypted_secret from %s where name = $1', vault)
        into found_secret
        using secret.name;
        if found_secret is null then
            raise sqlstate 'PT500' using
                message = format('expected a secret named %s in Vault, found none', secret.name),
                hint = format('select vault.create_secret(''…'', %L);', secret.name);
        end if;
        return found_secret;
    end if;
    select local_secrets.value
    into found_secret
    from ops.local_secrets
    where local_secrets.name = secret.name;
    if found_secret is null then
        raise sqlstate 'PT500' using
            message = format('expected a secret named %s, found none', secret.name),
            hint = format(
                'insert into ops.local_secrets (name, value) values (%L, ''…'');', secret.name
            );
    end if;
    return found_secret;
end
$_$;

COMMENT ON FUNCTION ops.secret(name text) IS 'A secret by name: from Vault where present, else from ops.local_secrets; PT500 if missing.';

CREATE FUNCTION ops.setting(name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return the value of a setting as text: ops.setting('run_lease_s')::integer.
declare
    found_value text;
begin
    select settings.value
    into found_value
    from ops.settings
    where settings.name = setting.name;
    if found_value is null then
        raise sqlstate 'PT500' using
            message = format('expected a setting named %s, found none', setting.name),
            hint = 'see ops.settings';
    end if;
    return found_value;
end
$$;

COMMENT ON FUNCTION ops.setting(name text) IS 'Value of a row of ops.settings; PT500 if there is none.';

CREATE FUNCTION ops.store_secret(name text, value text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
-- Keep a secret where ops.secret(name) finds it: in Vault, or in ops.local_secrets where there is
-- no Vault. The same name again replaces the value. Returns the place. Runs as its caller: Vault
-- decides who may write.
declare
    vault regnamespace := to_regnamespace('vault');
    secret_id uuid;
begin
    if coalesce(length(store_secret.value), 0) < 16 then
        raise sqlstate 'PT400' using
            message = format(
                'expected at least 16 characters for %s, were %s',
                store_secret.name, coalesce(length(store_secret.value), 0)
            ),
            hint = 'make one: openssl rand -base64 32';
    end if;
    if vault is null then
        insert into ops.local_secrets (name, value)
        values (store_secret.name, store_secret.value)
        on conflict on constraint local_secrets_pkey do update
        set value = excluded.value;
        return 'ops.local_secrets';
    end if;
    execute format('select id from %s.secrets where name = $1', vault)
    into secret_id
    using store_secret.name;
    if secret_id is null then
        execute format('select %s.create_secret($1, $2)', vault)
        using store_secret.value, store_secret.name;
    else
        execute format('select %s.update_secret($1, $2)', vault)
        using secret_id, store_secret.value;
    end if;
    return 'Vault';
end
$_$;

COMMENT ON FUNCTION ops.store_secret(name text, value text) IS 'Keep a secret in Vault, or in ops.local_secrets where there is none; returns the place.';

CREATE FUNCTION ops.store_trader_errors(run ops.runs, errors jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Count the traders whose rule could not be evaluated, disable those that failed error_limit
-- times in a row and say why; clear the count of those that went well.
-- A trader counts once a run, however often the run is tried.
declare
    error_limit integer := ops.setting('error_limit')::integer;
begin
    with named as (
        select distinct on (traders.id)
            traders.id as trader_id,
            left(coalesce(nullif(item.code, ''), 'unknown'), 100) as code,
            left(coalesce(item.message, ''), 500) as message
        from jsonb_to_recordset(errors) as item (trader_id bigint, code text, message text)
        inner join public.traders on traders.id = item.trader_id
        where traders.enabled
            and traders.venue = run.venue
            and traders."interval" = run."interval"
        order by traders.id
    ),
    noted as (
        insert into ops.run_errors (run_id, trader_id, code, message)
        select run.id, named.trader_id, named.code, named.message
        from named
        on conflict on constraint run_errors_count_once_a_run do nothing
        returning run_errors.trader_id, run_errors.code, run_errors.message
    )
    update public.traders
    set
        error_count = traders.error_count + 1,
        last_error = noted.code || ': ' || noted.message,
        enabled = traders.error_count + 1 < error_limit,
        disabled_reason = case
            when traders.error_count + 1 >= error_limit then format(
                'disabled after %s failed evaluations in a row; the last: %s: %s',
                traders.error_count + 1, noted.code, noted.message
            )
        end
    from noted
    where traders.id = noted.trader_id;

    -- A second attempt saw a few instruments only: it proves nothing.
    if run.finished_at is not null then
        return;
    end if;
    update public.traders
    set error_count = 0
    where traders.error_count > 0
        and traders.enabled
        and traders.venue = run.venue
        and traders."interval" = run."interval"
        and case
            when run.trader_id is not null then traders.id = run.trader_id
            else traders.id % run.shard_count = run.shard and traders.enabled_at <= run.closed_at
        end
        and not exists (
            select
            from jsonb_to_recordset(errors) as item (trader_id bigint)
            where item.trader_id = traders.id
        );
end
$$;

COMMENT ON FUNCTION ops.store_trader_errors(run ops.runs, errors jsonb) IS 'Count, keep and act on the failed evaluations of a run; clear the count of the others.';

CREATE FUNCTION ops.tick(at timestamp with time zone DEFAULT now()) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Once a minute: make the slots that are owed, then name everything unfinished to
-- trigger_executions in one signed call. Twice in a minute, late, or not at all for a while:
-- the same slots exist afterwards, and claims see to it that each is worked on once.
-- Returns {"opened", "dispatched", "request_id"}.
declare
    opened_count integer;
    runs jsonb;
    request_id bigint;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('closebell.tick', 0)) then
        return jsonb_build_object('skipped', 'another tick is running');
    end if;
    opened_count := ops.open_due_slots(at);
    runs := ops.list_claimable_runs(at);
    if jsonb_array_length(runs) > 0 and ops.setting('signals_enabled') = 'on' then
        begin
            request_id := ops.call_function(
                'trigger_executions', jsonb_build_object('runs', runs)
            );
        exception
            -- The slots must stay whatever is wrong with the call; the next tick calls again.
            when others then
                perform ops.write_log(
                    'error', 'dispatch_failed',
                    jsonb_build_object('message', sqlerrm, 'code', sqlstate)
                );
        end;
    end if;
    return jsonb_build_object(
        'opened', opened_count,
        'dispatched', case when request_id is null then 0 else jsonb_array_length(runs) end,
        'request_id', request_id
    );
end
$$;

COMMENT ON FUNCTION ops.tick(at timestamp with time zone) IS 'Scheduled each minute: make owed slots, call trigger_executions with all unfinished runs.';

CREATE FUNCTION ops.to_ms(instant timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((EXTRACT(epoch FROM (instant AT TIME ZONE 'UTC'::text)) * (1000)::numeric))::bigint;

COMMENT ON FUNCTION ops.to_ms(instant timestamp with time zone) IS 'Milliseconds since the Unix epoch.';

CREATE PROCEDURE ops."trim"(IN batches_max integer DEFAULT 200)
    LANGUAGE plpgsql
    AS $$
-- Delete what is past its retention, batch after batch, each committed: locks stay short and a
-- long backlog is worked off over several hours. No `set` clause and no security definer: either
-- would forbid the commits.
begin
    for batch in 1 .. batches_max loop
        exit when ops.trim_batch() = 0;
        commit;
    end loop;
end
$$;

COMMENT ON PROCEDURE ops."trim"(IN batches_max integer) IS 'Scheduled hourly: signals 30 days; runs, logs and schedule history 7 days (ops.settings).';

CREATE FUNCTION ops.trim_batch(rows_max integer DEFAULT 5000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
-- Delete up to rows_max rows past their retention from each table; return how many in all.
-- The oldest rows are those with the smallest ids, so no scan is longer than a batch.
declare
    signals_before timestamptz := now() - make_interval(
        days => ops.setting('signal_retention_days')::integer
    );
    logs_before timestamptz := now() - make_interval(
        days => ops.setting('log_retention_days')::integer
    );
    deleted_count integer := 0;
    batch_count integer;
begin
    delete from public.signals
    where signals.id in (
        select oldest.id
        from (
            select candidates.id, candidates.created_at
            from public.signals as candidates
            order by candidates.id
            limit rows_max
        ) as oldest
        where oldest.created_at < signals_before
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    delete from public.signal_overflows
    where signal_overflows.ctid in (
        select oldest.ctid
        from public.signal_overflows as oldest
        where oldest.closed_at < signals_before
        order by oldest.closed_at
        limit rows_max
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    delete from ops.runs
    where runs.id in (
        select oldest.id
        from (
            select candidates.id, candidates.opened_at
            from ops.runs as candidates
            order by candidates.id
            limit rows_max
        ) as oldest
        where oldest.opened_at < logs_before
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    delete from ops.function_logs
    where function_logs.id in (
        select oldest.id
        from ops.function_logs as oldest
        where oldest.logged_at < logs_before
        order by oldest.logged_at
        limit rows_max
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    if to_regclass('cron.job_run_details') is not null then
        -- Never trimmed by pg_cron itself.
        execute
            'delete from cron.job_run_details where runid in ('
            'select runid from (select runid, start_time, status from cron.job_run_details '
            'order by runid limit $1) as oldest where start_time < $2)'
        using rows_max, logs_before;
        get diagnostics batch_count = row_count;
        deleted_count := deleted_count + batch_count;
    end if;
    return deleted_count;
end
$_$;

COMMENT ON FUNCTION ops.trim_batch(rows_max integer) IS 'Delete one batch past retention from each table; returns the rows deleted, count.';

CREATE FUNCTION ops.unwrap_json(document jsonb, field text, kind text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
-- Return a JSON argument as the object or array it should be (`kind`), or refuse it with PT400.
-- Some REST servers pass a JSON argument as a JSON string; unwrapped, the rest cannot tell.
declare
    unwrapped jsonb := document;
begin
    if jsonb_typeof(unwrapped) = 'string' then
        begin
            unwrapped := (unwrapped #>> '{}')::jsonb;
        exception
            when invalid_text_representation then
                raise sqlstate 'PT400' using
                    message = format('expected %s to be JSON, was not: %s', field, sqlerrm),
                    hint = field;
        end;
    end if;
    if unwrapped is null or jsonb_typeof(unwrapped) <> kind then
        raise sqlstate 'PT400' using
            message = format(
                'expected %s to be a JSON %s, was %s',
                field, kind, coalesce(jsonb_typeof(unwrapped), 'nothing')
            ),
            hint = field;
    end if;
    return unwrapped;
end
$$;

COMMENT ON FUNCTION ops.unwrap_json(document jsonb, field text, kind text) IS 'A JSON argument of the wanted kind, unwrapped if it came as a string; else PT400.';

CREATE FUNCTION ops.watch_slots() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Write one warning for each slot that is missing or unfinished beyond watch_after_s, once.
-- Returns how many were new.
declare
    new_count integer;
begin
    insert into ops.function_logs (source, level, event, run_id, fields)
    select
        'postgres',
        'warn',
        'slot_missed',
        min(slots_missing.run_id),
        jsonb_build_object(
            'slot', format(
                '%s %s %s', slots_missing.venue, slots_missing."interval",
                to_char(slots_missing.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ),
            'status', min(slots_missing.status),
            'runs', count(slots_missing.run_id),
            'error', min(slots_missing.error)
        )
    from ops.slots_missing
    group by slots_missing.venue, slots_missing."interval", slots_missing.closed_at
    order by slots_missing.closed_at
    limit 10000
    on conflict ((fields ->> 'slot')) where event = 'slot_missed' do nothing;
    get diagnostics new_count = row_count;
    return new_count;
end
$$;

COMMENT ON FUNCTION ops.watch_slots() IS 'Scheduled each minute: one warning a slot that is missing or unfinished; returns new ones.';

CREATE FUNCTION ops.write_log(level text, event text, fields jsonb DEFAULT '{}'::jsonb, run_id bigint DEFAULT NULL::bigint, trader_id bigint DEFAULT NULL::bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    insert into ops.function_logs (source, level, event, run_id, trader_id, fields)
    values ('postgres', level, event, run_id, trader_id, fields);
$$;

COMMENT ON FUNCTION ops.write_log(level text, event text, fields jsonb, run_id bigint, trader_id bigint) IS 'Append a line of the database itself to ops.function_logs.';

CREATE FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint DEFAULT NULL::bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Take a run for run_lease_s, and get what is needed to do it:
-- {"claimed": true, "claim_token", "run": {…}, "traders_revision", "traders": null | […]}
-- or {"claimed": false, "reason": "finished" | "claimed" | "stopped"}.
-- `traders` is null if the caller's list of this shard (known_traders_revision) is current. A run
-- of one trader always gets that one, under revision -1, which is never current.
-- Of callers at the same moment one wins: the row is locked, others skip it.
declare
    run ops.runs;
    run_status text;
    traders_revision bigint;
    traders_json jsonb;
begin
    if ops.setting('signals_enabled') = 'off' then
        return jsonb_build_object('claimed', false, 'reason', 'stopped');
    end if;
    update ops.runs
    set
        status = 'claimed',
        attempt = runs.attempt + 1,
        claim_token = gen_random_uuid(),
        claimed_by = left(coalesce(nullif(claim_run.claimed_by, ''), 'unnamed'), 200),
        claimed_at = clock_timestamp(),
        lease_until = clock_timestamp()
            + make_interval(secs => ops.setting('run_lease_s')::integer)
    where runs.id = (
        select free.id
        from ops.runs as free
        where free.id = claim_run.run_id
            and case free.status
                when 'open' then true
                when 'claimed' then free.lease_until < clock_timestamp()
                when 'finished' then
                    not free.complete
                    and free.attempt < ops.setting('late_attempts_max')::integer
                else false
            end
        for update skip locked
    )
    returning runs.* into run;

    if run.id is null then
        select runs.status
        into run_status
        from ops.runs
        where runs.id = claim_run.run_id;
        if run_status is null then
            raise sqlstate 'PT404' using
                message = format('expected a run %s, found none', claim_run.run_id),
                hint = 'run_id';
        end if;
        return jsonb_build_object(
            'claimed', false,
            'reason', case
                when run_status in ('finished', 'failed') then 'finished'
                else 'claimed'
            end
        );
    end if;

    -- One statement, so that the list and its revision belong together.
    select
        case when run.trader_id is null then current.revision else -1 end,
        case
            when run.trader_id is not null
                or current.revision is distinct from known_traders_revision
            then ops.list_traders(
                run.venue, run."interval", run.shard, run.shard_count, run.trader_id
            )
        end
    into traders_revision, traders_json
    from ops.traders_revision as current;
    return jsonb_build_object(
        'claimed', true,
        'claim_token', run.claim_token,
        'run', jsonb_build_object(
            'run_id', run.id,
            'venue', run.venue,
            'interval', run."interval",
            'closed_at_ms', ops.to_ms(run.closed_at),
            'shard', run.shard,
            'shard_count', run.shard_count,
            'trader_id', run.trader_id,
            'origin', run.origin,
            'attempt', run.attempt,
            'frame_revision', run.frame_revision,
            'missing_instruments', run.missing_instruments
        ),
        'traders_revision', traders_revision,
        'traders', traders_json
    );
end
$$;

COMMENT ON FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint) IS 'Service only. Take a run for the time of a lease, with the traders to evaluate.';

CREATE FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Store the signals of a run and finish it, in one transaction; returns
-- {"inserted", "duplicates", "cooldown", "disabled", "overflow"}, counts.
-- The same call again (its reply was lost) changes nothing and returns the same. PT409 if the
-- token does not hold the run, PT503 while the kill switch is off: the run then stays open.
declare
    run ops.runs;
    given jsonb := ops.unwrap_json(outcome, 'outcome', 'object');
    counts jsonb;
    missing text[];
begin
    if ops.setting('signals_enabled') = 'off' then
        raise sqlstate 'PT503' using
            message = 'expected signals to be enabled, was switched off',
            hint = 'update ops.settings set value = ''on'' where name = ''signals_enabled'';';
    end if;
    run := ops.lock_claimed_run(emit_signals.run_id, emit_signals.claim_token);
    if run.status = 'finished' then
        return run.stats -> 'emitted';
    end if;
    given := ops.check_outcome(given);

    -- In order of id, before anything is read: `enabled`, cooldown and cap are judged on rows
    -- that no other emission, and no owner, can change until this one is stored.
    perform
    from public.traders
    where traders.id in (
        select (item ->> 'trader_id')::bigint from jsonb_array_elements(given -> 'signals') as item
        union
        select (item ->> 'trader_id')::bigint from jsonb_array_elements(given -> 'errors') as item
        union
        select overflow.trader_id::bigint
        from jsonb_object_keys(given -> 'overflow') as overflow (trader_id)
    )
    order by traders.id
    for no key update;

    counts := ops.insert_signals(run, given);
    perform ops.store_trader_errors(run, (given -> 'errors') || (counts -> 'errors'));
    counts := counts - 'errors';

    missing := array(select jsonb_array_elements_text(given -> 'missing_instruments'));
    update ops.runs
    set
        status = 'finished',
        finished_at = clock_timestamp(),
        lease_until = null,
        feed = given ->> 'feed',
        frame_revision = (given ->> 'frame_revision')::integer,
        complete = (given ->> 'complete')::boolean and cardinality(missing) = 0,
        missing_instruments = missing,
        traders_count = (given ->> 'traders_count')::integer,
        signals_count = runs.signals_count + (counts ->> 'inserted')::integer,
        stats = (given -> 'stats') || jsonb_build_object('emitted', counts),
        error = null
    where runs.id = run.id;
    return counts;
end
$$;

COMMENT ON FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) IS 'Service only. Store a run''s signals and finish it in one transaction; returns counts.';

CREATE FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Give a run back with the reason; the next tick names it again. After run_attempts_max claims it
-- fails for good. A run that had finished before goes back to finished, its late attempt spent.
-- An attempt that found no data (StaleData) does not count: after an outage of the collector the
-- slots must still be there; ops.rescue_runs ends those whose data is gone for good.
-- The same call again changes nothing. PT409 if the token does not hold the run.
declare
    run ops.runs := ops.lock_claimed_run(fail_run.run_id, fail_run.claim_token);
begin
    if run.status <> 'claimed' then
        return '{}'::jsonb;
    end if;
    update ops.runs
    set
        status = case
            when run.finished_at is not null then 'finished'
            when starts_with(fail_run.error, 'StaleData') then 'open'
            when run.attempt >= ops.setting('run_attempts_max')::integer then 'failed'
            else 'open'
        end,
        attempt = run.attempt - coalesce(starts_with(fail_run.error, 'StaleData'), false)::integer,
        lease_until = null,
        error = left(coalesce(fail_run.error, 'no reason given'), 2000)
    where runs.id = run.id;
    return '{}'::jsonb;
end
$$;

COMMENT ON FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) IS 'Service only. Give a run back with the reason of its failure; returns {}.';

CREATE FUNCTION public.open_slot(venue text, "interval" text, closed_at_ms bigint, trader_id bigint DEFAULT NULL::bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return the runs of a slot as {"runs": [{"run_id", "shard", "status"}]}, making those that are
-- missing. Status is open, claimed, finished, failed, or incomplete (finished, and instruments
-- are missing: worth a claim when their frame has a new revision). With trader_id: the run of
-- that trader alone; one that is over is opened again if the trader was changed since.
-- PT400 names the wrong argument in its hint.
declare
    slot_at timestamptz;
    runs_json jsonb;
begin
    if venue is null or venue not in ('binance') then
        raise sqlstate 'PT400' using
            message = format('expected a known venue, was %s', coalesce(venue, 'nothing')),
            hint = 'venue';
    end if;
    if ops.interval_s("interval") is null then
        raise sqlstate 'PT400' using
            message = format('expected a kline interval, was %s', coalesce("interval", 'nothing')),
            hint = 'interval';
    end if;
    -- The upper bound keeps a wrong unit (µs) from overflowing the calendar.
    if closed_at_ms is null or closed_at_ms < 0 or closed_at_ms > 253402300799000
        or not ops.is_close("interval", ops.from_ms(closed_at_ms))
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a close of %s in ms since 1970, was %s',
                "interval", coalesce(closed_at_ms::text, 'nothing')
            ),
            hint = 'closed_at_ms';
    end if;
    slot_at := ops.from_ms(closed_at_ms);
    if slot_at > clock_timestamp()
        + make_interval(secs => ops.setting('clock_skew_s_max')::integer)
    then
        raise sqlstate 'PT400' using
            message = format('expected a close in the past, was %s', slot_at),
            hint = 'closed_at_ms';
    end if;

    if trader_id is null then
        perform ops.open_runs(venue, "interval", array[slot_at], now());
    else
        perform ops.open_trader_run(venue, "interval", slot_at, trader_id);
    end if;
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'run_id', runs.id,
                'shard', runs.shard,
                'status', case
                    when runs.status = 'finished' and not runs.complete then 'incomplete'
                    else runs.status
                end
            )
            order by runs.shard
        ),
        '[]'
    )
    into runs_json
    from ops.runs
    where runs.function = 'execute_traders'
        and runs.venue = open_slot.venue
        and runs."interval" = open_slot."interval"
        and runs.closed_at = slot_at
        and runs.trader_id is not distinct from open_slot.trader_id;
    return jsonb_build_object('runs', runs_json);
end
$$;

COMMENT ON FUNCTION public.open_slot(venue text, "interval" text, closed_at_ms bigint, trader_id bigint) IS 'Service only. The runs of a slot, made if missing: {"runs": [{run_id, shard, status}]}.';

CREATE FUNCTION public.store_trader(user_id uuid, trader jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
-- Insert a trader of this user (no "id"), or update one; what is left out stays as it is.
-- Returns the row. The rule must have been checked by the caller: save_trader does.
-- PT400 with the field in the hint, PT403 over a quota, PT404 if the trader is not the user's.
declare
    given jsonb := ops.check_trader_fields(ops.unwrap_json(trader, 'trader', 'object'));
    stored public.traders;
    broken_constraint text;
    field text;
begin
    if not exists (select from public.profiles where profiles.user_id = store_trader.user_id) then
        raise sqlstate 'PT404' using
            message = format('expected a user %s, found none', store_trader.user_id),
            hint = 'user_id';
    end if;
    if given ->> 'id' is null then
        stored := jsonb_populate_record(
            null::public.traders,
            '{"description": "", "cooldown_s": 0, "enabled": true}'::jsonb || given
        );
        insert into public.traders
            (user_id, name, description, rule, venue, universe, "interval", trigger, cooldown_s,
                enabled)
        values
            (store_trader.user_id, stored.name, stored.description, stored.rule, stored.venue,
                stored.universe, stored."interval", stored.trigger, stored.cooldown_s,
                stored.enabled)
        returning traders.* into stored;
        return to_jsonb(stored);
    end if;

    select traders.*
    into stored
    from public.traders
    where traders.id = (given ->> 'id')::bigint and traders.user_id = store_trader.user_id
    for no key update;
    if stored.id is null then
        raise sqlstate 'PT404' using
            message = format('expected a trader %s of this user, found none', given ->> 'id'),
            hint = 'id';
    end if;
    stored := jsonb_populate_record(stored, given);
    update public.traders
    set
        name = stored.name,
        description = stored.description,
        rule = stored.rule,
        venue = stored.venue,
        universe = stored.universe,
        "interval" = stored."interval",
        trigger = stored.trigger,
        cooldown_s = stored.cooldown_s,
        enabled = stored.enabled
    where traders.id = stored.id
    returning traders.* into stored;
    return to_jsonb(stored);
exception
    when check_violation then
        -- A constraint is named for its column and what it promises: traders_name_is_….
        get stacked diagnostics broken_constraint = constraint_name;
        select names.name
        into field
        from jsonb_object_keys(given) as names (name)
        where starts_with(broken_constraint, 'traders_' || names.name || '_');
        raise sqlstate 'PT400' using
            message = 'expected that ' || replace(substr(broken_constraint, 9), '_', ' '),
            hint = coalesce(field, 'trader'),
            detail = broken_constraint;
end
$$;

COMMENT ON FUNCTION public.store_trader(user_id uuid, trader jsonb) IS 'Service only. Insert or update a trader of a user; returns the row. PT400, PT403, PT404.';

CREATE FUNCTION public.write_logs(rows jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Append lines to ops.function_logs: [{"logged_at"?, "source", "level", "event", "run_id"?,
-- "trader_id"?, "fields"?}], at most 1,000; returns {"inserted"}.
-- Levels of Python's logging are understood (warning, critical). What is too long is cut: a log
-- must not be lost because it has much to say.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    inserted_count integer;
begin
    if jsonb_array_length(given) > 1000 then
        raise sqlstate 'PT400' using
            message = format('expected at most 1000 lines, was %s', jsonb_array_length(given)),
            hint = 'rows';
    end if;
    insert into ops.function_logs (logged_at, source, level, event, run_id, trader_id, fields)
    select
        coalesce(line.logged_at, now()),
        left(coalesce(nullif(line.source, ''), 'unnamed'), 100),
        case lower(line.level)
            when 'warning' then 'warn'
            when 'critical' then 'error'
            when 'exception' then 'error'
            when 'notset' then 'debug'
            else coalesce(lower(line.level), 'info')
        end,
        left(coalesce(nullif(line.event, ''), 'unnamed'), 200),
        line.run_id,
        line.trader_id,
        case
            when jsonb_typeof(line.fields) is distinct from 'object' then '{}'
            when pg_column_size(line.fields) > 64000
            then jsonb_build_object('cut', left(line.fields::text, 12000))
            else line.fields
        end
    from jsonb_to_recordset(given) as line (
        logged_at timestamptz, source text, level text, event text, run_id bigint,
        trader_id bigint, fields jsonb
    );
    get diagnostics inserted_count = row_count;
    return jsonb_build_object('inserted', inserted_count);
exception
    when check_violation or invalid_text_representation or invalid_datetime_format
        or datetime_field_overflow or numeric_value_out_of_range or invalid_parameter_value
    then
        raise sqlstate 'PT400' using
            message = format('expected log lines as documented, was refused: %s', sqlerrm),
            hint = 'rows';
end
$$;

COMMENT ON FUNCTION public.write_logs(rows jsonb) IS 'Service only. Append lines to ops.function_logs; returns {"inserted"}.';

CREATE TABLE ops.function_logs (
    id bigint NOT NULL,
    logged_at timestamp with time zone DEFAULT now() NOT NULL,
    source text NOT NULL,
    level text NOT NULL,
    event text NOT NULL,
    run_id bigint,
    trader_id bigint,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT function_logs_event_is_1_to_200_characters CHECK (((length(event) >= 1) AND (length(event) <= 200))),
    CONSTRAINT function_logs_fields_is_bounded CHECK ((pg_column_size(fields) <= 64000)),
    CONSTRAINT function_logs_fields_is_object CHECK ((jsonb_typeof(fields) = 'object'::text)),
    CONSTRAINT function_logs_level_is_known CHECK ((level = ANY (ARRAY['debug'::text, 'info'::text, 'warn'::text, 'error'::text]))),
    CONSTRAINT function_logs_source_is_1_to_100_characters CHECK (((length(source) >= 1) AND (length(source) <= 100)))
);

COMMENT ON TABLE ops.function_logs IS 'What functions and routines have to say to an operator; kept for log_retention_days.';

COMMENT ON COLUMN ops.function_logs.id IS 'Identity.';

COMMENT ON COLUMN ops.function_logs.logged_at IS 'When the line was written, by its writer, UTC.';

COMMENT ON COLUMN ops.function_logs.source IS 'Who writes: functions, postgres, ….';

COMMENT ON COLUMN ops.function_logs.level IS 'debug, info, warn, error.';

COMMENT ON COLUMN ops.function_logs.event IS 'What happened, as noun_verbed.';

COMMENT ON COLUMN ops.function_logs.run_id IS 'The run it is about; null: none.';

COMMENT ON COLUMN ops.function_logs.trader_id IS 'The trader it is about; null: none.';

COMMENT ON COLUMN ops.function_logs.fields IS 'The rest, as an object of at most 64,000 bytes.';

ALTER TABLE ops.function_logs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.function_logs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ops.local_secrets (
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT local_secrets_name_is_a_word CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT local_secrets_value_is_bounded CHECK (((length(value) >= 16) AND (length(value) <= 1000)))
);

COMMENT ON TABLE ops.local_secrets IS 'Secrets where Vault is absent (a laptop). Ignored, and to be left empty, where it is present.';

COMMENT ON COLUMN ops.local_secrets.name IS 'Word by which ops.secret(name) asks.';

COMMENT ON COLUMN ops.local_secrets.value IS 'The secret as text, 16 to 1,000 characters.';

CREATE TABLE ops.outbox (
    id bigint NOT NULL,
    signal_id bigint NOT NULL,
    user_id uuid NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT outbox_attempts_is_not_negative CHECK ((attempts >= 0)),
    CONSTRAINT outbox_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text])))
);

COMMENT ON TABLE ops.outbox IS 'Notifications to be delivered: one row for each live or late signal, none for a backfill.';

COMMENT ON COLUMN ops.outbox.id IS 'Identity.';

COMMENT ON COLUMN ops.outbox.signal_id IS 'The signal.';

COMMENT ON COLUMN ops.outbox.user_id IS 'Whom it is for.';

COMMENT ON COLUMN ops.outbox.status IS 'pending, sent, failed.';

COMMENT ON COLUMN ops.outbox.attempts IS 'Deliveries tried, count.';

COMMENT ON COLUMN ops.outbox.next_attempt_at IS 'Not before this instant, UTC.';

COMMENT ON COLUMN ops.outbox.created_at IS 'When the signal was stored, UTC.';

ALTER TABLE ops.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ops.run_errors (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    trader_id bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT run_errors_code_is_1_to_100_characters CHECK (((length(code) >= 1) AND (length(code) <= 100))),
    CONSTRAINT run_errors_message_is_bounded CHECK ((length(message) <= 1000))
);

COMMENT ON TABLE ops.run_errors IS 'A trader whose rule could not be evaluated in a run; one row however often the run is tried.';

COMMENT ON COLUMN ops.run_errors.id IS 'Identity.';

COMMENT ON COLUMN ops.run_errors.run_id IS 'The run.';

COMMENT ON COLUMN ops.run_errors.trader_id IS 'The trader.';

COMMENT ON COLUMN ops.run_errors.code IS 'Error code (docs/errors.md).';

COMMENT ON COLUMN ops.run_errors.message IS 'What was expected and what was found.';

COMMENT ON COLUMN ops.run_errors.created_at IS 'When it was stored, UTC.';

ALTER TABLE ops.run_errors ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.run_errors_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ops.runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ops.schedules (
    name text NOT NULL,
    schedule text NOT NULL,
    command text NOT NULL,
    description text NOT NULL,
    CONSTRAINT schedules_command_is_bounded CHECK (((length(command) >= 1) AND (length(command) <= 1000))),
    CONSTRAINT schedules_name_is_a_word CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT schedules_schedule_has_five_fields CHECK ((schedule ~ '^[^ ]+( [^ ]+){4}$'::text))
);

COMMENT ON TABLE ops.schedules IS 'The page sql/schedules.sql as rows; ops.schedules_drift() compares it with cron.job.';

COMMENT ON COLUMN ops.schedules.name IS 'Name of the job in cron.job.';

COMMENT ON COLUMN ops.schedules.schedule IS 'Cron expression, five fields, UTC.';

COMMENT ON COLUMN ops.schedules.command IS 'SQL the job runs.';

COMMENT ON COLUMN ops.schedules.description IS 'Why the job exists.';

CREATE TABLE ops.settings (
    name text NOT NULL,
    value text NOT NULL,
    unit text NOT NULL,
    description text NOT NULL,
    CONSTRAINT settings_name_is_a_word CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT settings_unit_is_known CHECK ((unit = ANY (ARRAY['switch'::text, 'count'::text, 's'::text, 'days'::text, 'url'::text, 'tier'::text]))),
    CONSTRAINT settings_value_fits_unit CHECK (
CASE unit
    WHEN 'switch'::text THEN (value = ANY (ARRAY['on'::text, 'off'::text]))
    WHEN 'count'::text THEN (value ~ '^[1-9][0-9]{0,6}$'::text)
    WHEN 's'::text THEN (value ~ '^[1-9][0-9]{0,6}$'::text)
    WHEN 'days'::text THEN (value ~ '^[1-9][0-9]{0,3}$'::text)
    WHEN 'url'::text THEN ((value = ''::text) OR (value ~ '^https?://[^[:space:]]+[^/[:space:]]$'::text))
    ELSE (value <> ''::text)
END),
    CONSTRAINT settings_value_is_bounded CHECK ((length(value) <= 1000))
);

COMMENT ON TABLE ops.settings IS 'What an operator may change while everything runs: update ops.settings set value = ….';

COMMENT ON COLUMN ops.settings.name IS 'Word by which routines ask: ops.setting(name).';

COMMENT ON COLUMN ops.settings.value IS 'The value as text, in `unit`.';

COMMENT ON COLUMN ops.settings.unit IS 'switch (on or off), count, s (seconds), days, url (no slash at the end), tier (tiers.id).';

COMMENT ON COLUMN ops.settings.description IS 'What the value changes.';

CREATE TABLE public.traders (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    rule text NOT NULL,
    venue text NOT NULL,
    universe text[],
    "interval" text NOT NULL,
    trigger text NOT NULL,
    cooldown_s integer DEFAULT 0 NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    enabled_at timestamp with time zone,
    disabled_reason text,
    error_count integer DEFAULT 0 NOT NULL,
    last_error text,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT traders_cooldown_s_is_at_most_30_days CHECK (((cooldown_s >= 0) AND (cooldown_s <= 2592000))),
    CONSTRAINT traders_description_is_bounded CHECK ((length(description) <= 2000)),
    CONSTRAINT traders_disabled_reason_is_bounded CHECK (((length(disabled_reason) >= 1) AND (length(disabled_reason) <= 1000))),
    CONSTRAINT traders_enabled_has_a_start CHECK (((NOT enabled) OR (enabled_at IS NOT NULL))),
    CONSTRAINT traders_enabled_has_no_reason CHECK (((NOT enabled) OR (disabled_reason IS NULL))),
    CONSTRAINT traders_error_count_is_not_negative CHECK ((error_count >= 0)),
    CONSTRAINT traders_interval_is_known CHECK ((ops.interval_s("interval") IS NOT NULL)),
    CONSTRAINT traders_last_error_is_bounded CHECK ((length(last_error) <= 1000)),
    CONSTRAINT traders_name_is_1_to_80_characters CHECK ((((length(name) >= 1) AND (length(name) <= 80)) AND (name = btrim(name)))),
    CONSTRAINT traders_rule_is_1_to_2000_characters CHECK ((((length(rule) >= 1) AND (length(rule) <= 2000)) AND (btrim(rule) <> ''::text))),
    CONSTRAINT traders_trigger_is_known CHECK ((trigger = ANY (ARRAY['enter'::text, 'exit'::text, 'while'::text]))),
    CONSTRAINT traders_universe_is_symbols CHECK ((((cardinality(universe) >= 1) AND (cardinality(universe) <= 1000)) AND ops.are_symbols(universe))),
    CONSTRAINT traders_venue_is_known CHECK ((venue = 'binance'::text)),
    CONSTRAINT traders_version_is_positive CHECK ((version >= 1))
);

COMMENT ON TABLE public.traders IS 'A rule, the instruments and closes it is evaluated on, and whether it is running.';

COMMENT ON COLUMN public.traders.id IS 'Identity.';

COMMENT ON COLUMN public.traders.user_id IS 'Owner; never changes.';

COMMENT ON COLUMN public.traders.name IS 'Name on screen, 1 to 80 characters.';

COMMENT ON COLUMN public.traders.description IS 'The owner''s words, at most 2,000 characters.';

COMMENT ON COLUMN public.traders.rule IS 'Rule text, 1 to 2,000 characters (docs/rules.md).';

COMMENT ON COLUMN public.traders.venue IS 'Venue id.';

COMMENT ON COLUMN public.traders.universe IS 'Symbols the rule is evaluated on, 1 to 1,000; null: the whole universe of the venue.';

COMMENT ON COLUMN public.traders."interval" IS 'Kline interval: 1m, 3m, … 1d.';

COMMENT ON COLUMN public.traders.trigger IS 'enter: true now, false at the close before. exit: the reverse. while: true now.';

COMMENT ON COLUMN public.traders.cooldown_s IS 'Seconds after a signal of the same instrument in which no other is stored; 0: none.';

COMMENT ON COLUMN public.traders.enabled IS 'Whether the rule is evaluated. The owner may set it.';

COMMENT ON COLUMN public.traders.enabled_at IS 'Since when it is enabled on this interval, UTC; closes before are not owed. Null: never was.';

COMMENT ON COLUMN public.traders.disabled_reason IS 'Why the system disabled it; null: enabled, or disabled by the owner.';

COMMENT ON COLUMN public.traders.error_count IS 'Failed evaluations in a row, count.';

COMMENT ON COLUMN public.traders.last_error IS 'Text of the newest failed evaluation; null: none.';

COMMENT ON COLUMN public.traders.version IS 'Counts changes of rule, venue, universe, interval, trigger or cooldown, from 1.';

COMMENT ON COLUMN public.traders.created_at IS 'When it was stored first, UTC.';

COMMENT ON COLUMN public.traders.updated_at IS 'When anything but the error count changed last, UTC.';

CREATE VIEW ops.slots_missing WITH (security_invoker='true') AS
 WITH due AS (
         SELECT traders.venue,
            traders."interval",
            make_interval(secs => (ops.interval_s(traders."interval"))::double precision) AS length,
            min(traders.enabled_at) AS since
           FROM public.traders
          WHERE traders.enabled
          GROUP BY traders.venue, traders."interval"
        ), owed AS (
         SELECT due.venue,
            due."interval",
            slot.closed_at
           FROM (due
             CROSS JOIN LATERAL generate_series((date_bin(due.length, now(), '1970-01-01 00:00:00+00'::timestamp with time zone) - '1 day'::interval), (now() - ( SELECT make_interval(secs => ((settings.value)::integer)::double precision) AS make_interval
                   FROM ops.settings
                  WHERE (settings.name = 'watch_after_s'::text))), due.length) slot(closed_at))
          WHERE (slot.closed_at >= due.since)
        )
 SELECT owed.venue,
    owed."interval",
    owed.closed_at,
    'missing'::text AS status,
    NULL::bigint AS run_id,
    NULL::integer AS attempt,
    NULL::text AS error
   FROM owed
  WHERE (NOT (EXISTS ( SELECT
           FROM ops.runs
          WHERE ((runs.venue = owed.venue) AND (runs."interval" = owed."interval") AND (runs.closed_at = owed.closed_at) AND (runs.trader_id IS NULL)))))
UNION ALL
 SELECT runs.venue,
    runs."interval",
    runs.closed_at,
    runs.status,
    runs.id AS run_id,
    runs.attempt,
    runs.error
   FROM ops.runs
  WHERE ((runs.finished_at IS NULL) AND (runs.opened_at > (now() - '1 day'::interval)) AND (GREATEST(runs.closed_at, runs.opened_at) < (now() - ( SELECT make_interval(secs => ((settings.value)::integer)::double precision) AS make_interval
           FROM ops.settings
          WHERE (settings.name = 'watch_after_s'::text)))));

COMMENT ON VIEW ops.slots_missing IS 'Slots of the last day that have no run, or a run that did not finish, watch_after_s after they closed. Empty when all is well.';

COMMENT ON COLUMN ops.slots_missing.venue IS 'Venue id.';

COMMENT ON COLUMN ops.slots_missing."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.slots_missing.closed_at IS 'The slot, UTC.';

COMMENT ON COLUMN ops.slots_missing.status IS 'missing, or the status of its run.';

COMMENT ON COLUMN ops.slots_missing.run_id IS 'The run; null: there is none.';

COMMENT ON COLUMN ops.slots_missing.attempt IS 'Claims so far, count; null: no run.';

COMMENT ON COLUMN ops.slots_missing.error IS 'Text of the last failed attempt; null: none.';

CREATE TABLE ops.traders_revision (
    is_only boolean DEFAULT true NOT NULL,
    revision bigint NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT traders_revision_is_one_row CHECK (is_only),
    CONSTRAINT traders_revision_is_positive CHECK ((revision >= 1))
);

COMMENT ON TABLE ops.traders_revision IS 'One row: changes whenever a list of traders that claim_run hands out would differ.';

COMMENT ON COLUMN ops.traders_revision.is_only IS 'Always true: there is one row.';

COMMENT ON COLUMN ops.traders_revision.revision IS 'Counts the changes, from 1.';

COMMENT ON COLUMN ops.traders_revision.changed_at IS 'When it changed last, UTC.';

CREATE VIEW public.feed_status AS
 SELECT newest.venue,
    newest."interval",
    newest.feed,
    newest.closed_at,
    newest.finished_at,
    newest.complete,
    newest.missing_count,
    newest.frame_revision
   FROM ((unnest(ARRAY['binance'::text]) venues(venue)
     CROSS JOIN unnest(ARRAY['1m'::text, '3m'::text, '5m'::text, '15m'::text, '30m'::text, '1h'::text, '2h'::text, '4h'::text, '6h'::text, '8h'::text, '12h'::text, '1d'::text]) intervals("interval"))
     CROSS JOIN LATERAL ( SELECT runs.venue,
            runs."interval",
            runs.feed,
            runs.closed_at,
            runs.finished_at,
            runs.complete,
            cardinality(runs.missing_instruments) AS missing_count,
            runs.frame_revision
           FROM ops.runs
          WHERE ((runs.venue = venues.venue) AND (runs."interval" = intervals."interval") AND (runs.finished_at IS NOT NULL))
          ORDER BY runs.closed_at DESC, runs.finished_at DESC
         LIMIT 1) newest);

COMMENT ON VIEW public.feed_status IS 'The newest slot that was evaluated, per venue and interval: how fresh signals are.';

COMMENT ON COLUMN public.feed_status.venue IS 'Venue id.';

COMMENT ON COLUMN public.feed_status."interval" IS 'Kline interval.';

COMMENT ON COLUMN public.feed_status.feed IS 'Where the data came from: live, simulated, replay.';

COMMENT ON COLUMN public.feed_status.closed_at IS 'Newest evaluated close, UTC.';

COMMENT ON COLUMN public.feed_status.finished_at IS 'When its signals were stored, UTC.';

COMMENT ON COLUMN public.feed_status.complete IS 'Whether every instrument was there.';

COMMENT ON COLUMN public.feed_status.missing_count IS 'Instruments still missing, count.';

COMMENT ON COLUMN public.feed_status.frame_revision IS 'Revision of the frame, from 1.';

CREATE TABLE public.profiles (
    user_id uuid NOT NULL,
    display_name text,
    tier_id text NOT NULL,
    is_admin boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_display_name_is_1_to_80_characters CHECK ((((length(display_name) >= 1) AND (length(display_name) <= 80)) AND (display_name = btrim(display_name))))
);

COMMENT ON TABLE public.profiles IS 'One row a user, made by a trigger on auth.users. The owner may change display_name only.';

COMMENT ON COLUMN public.profiles.user_id IS 'The user, as in auth.users.';

COMMENT ON COLUMN public.profiles.display_name IS 'Name shown to others; null: none chosen.';

COMMENT ON COLUMN public.profiles.tier_id IS 'Tier; changed by the operator only.';

COMMENT ON COLUMN public.profiles.is_admin IS 'Whether the user is an operator; never set by REST.';

COMMENT ON COLUMN public.profiles.created_at IS 'When the row was made, UTC.';

CREATE TABLE public.signal_overflows (
    trader_id bigint NOT NULL,
    user_id uuid NOT NULL,
    "interval" text NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    trigger text NOT NULL,
    rest_count integer NOT NULL,
    CONSTRAINT signal_overflows_closed_at_is_a_close CHECK (ops.is_close("interval", closed_at)),
    CONSTRAINT signal_overflows_interval_is_known CHECK ((ops.interval_s("interval") IS NOT NULL)),
    CONSTRAINT signal_overflows_rest_count_is_positive CHECK ((rest_count > 0)),
    CONSTRAINT signal_overflows_trigger_is_known CHECK ((trigger = ANY (ARRAY['enter'::text, 'exit'::text, 'while'::text])))
);

COMMENT ON TABLE public.signal_overflows IS 'Matches of a trader at one close beyond its tier''s cap: only counted, not stored.';

COMMENT ON COLUMN public.signal_overflows.trader_id IS 'The trader.';

COMMENT ON COLUMN public.signal_overflows.user_id IS 'Owner of the trader.';

COMMENT ON COLUMN public.signal_overflows."interval" IS 'Kline interval.';

COMMENT ON COLUMN public.signal_overflows.closed_at IS 'The close, UTC.';

COMMENT ON COLUMN public.signal_overflows.trigger IS 'enter, exit or while.';

COMMENT ON COLUMN public.signal_overflows.rest_count IS 'Matches not stored, count.';

CREATE TABLE public.signals (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    trader_id bigint NOT NULL,
    run_id bigint NOT NULL,
    rule_version integer NOT NULL,
    venue text NOT NULL,
    instrument text NOT NULL,
    "interval" text NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    trigger text NOT NULL,
    origin text NOT NULL,
    feed text NOT NULL,
    price numeric NOT NULL,
    "values" jsonb NOT NULL,
    frame_revision integer NOT NULL,
    data_age_ms bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT signals_closed_at_is_a_close CHECK (ops.is_close("interval", closed_at)),
    CONSTRAINT signals_data_age_ms_is_not_negative CHECK ((data_age_ms >= 0)),
    CONSTRAINT signals_feed_is_known CHECK ((feed = ANY (ARRAY['live'::text, 'simulated'::text, 'replay'::text]))),
    CONSTRAINT signals_frame_revision_is_positive CHECK ((frame_revision >= 1)),
    CONSTRAINT signals_instrument_is_a_symbol CHECK (ops.is_symbol(instrument)),
    CONSTRAINT signals_interval_is_known CHECK ((ops.interval_s("interval") IS NOT NULL)),
    CONSTRAINT signals_origin_is_known CHECK ((origin = ANY (ARRAY['live'::text, 'late'::text, 'backfill'::text]))),
    CONSTRAINT signals_price_is_positive CHECK (((price > (0)::numeric) AND (price < 'Infinity'::numeric))),
    CONSTRAINT signals_rule_version_is_positive CHECK ((rule_version >= 1)),
    CONSTRAINT signals_trigger_is_known CHECK ((trigger = ANY (ARRAY['enter'::text, 'exit'::text, 'while'::text]))),
    CONSTRAINT signals_values_are_numbers CHECK ((NOT jsonb_path_exists("values", '$.*?(@.type() != "number")'::jsonpath))),
    CONSTRAINT signals_values_is_bounded CHECK ((pg_column_size("values") <= 16000)),
    CONSTRAINT signals_values_is_object CHECK ((jsonb_typeof("values") = 'object'::text)),
    CONSTRAINT signals_venue_is_known CHECK ((venue = 'binance'::text))
);

COMMENT ON TABLE public.signals IS 'A rule matched an instrument at a close. Immutable; owners read, nobody writes by REST.';

COMMENT ON COLUMN public.signals.id IS 'Identity; grows with storing, so "id > last seen" finds what a reader missed.';

COMMENT ON COLUMN public.signals.user_id IS 'Owner of the trader.';

COMMENT ON COLUMN public.signals.trader_id IS 'The trader.';

COMMENT ON COLUMN public.signals.run_id IS 'The run that stored it, while ops.runs keeps it.';

COMMENT ON COLUMN public.signals.rule_version IS 'Version of the trader that matched.';

COMMENT ON COLUMN public.signals.venue IS 'Venue id.';

COMMENT ON COLUMN public.signals.instrument IS 'Symbol as the venue writes it.';

COMMENT ON COLUMN public.signals."interval" IS 'Kline interval.';

COMMENT ON COLUMN public.signals.closed_at IS 'The close at which it matched, UTC.';

COMMENT ON COLUMN public.signals.trigger IS 'enter, exit or while.';

COMMENT ON COLUMN public.signals.origin IS 'live: evaluated in its slot. late: data or evaluation came late. backfill: long after.';

COMMENT ON COLUMN public.signals.feed IS 'Where the data came from: live, simulated, replay.';

COMMENT ON COLUMN public.signals.price IS 'Closing price, quote currency per base unit.';

COMMENT ON COLUMN public.signals."values" IS 'What explains it: text of each numeric node of the rule → its value at the close.';

COMMENT ON COLUMN public.signals.frame_revision IS 'Revision of the frame it was seen in, from 1.';

COMMENT ON COLUMN public.signals.data_age_ms IS 'From the close to its evaluation, milliseconds.';

COMMENT ON COLUMN public.signals.created_at IS 'When it was stored, UTC.';

ALTER TABLE public.signals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.signals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.trader_versions (
    trader_id bigint NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    rule text NOT NULL,
    venue text NOT NULL,
    universe text[],
    "interval" text NOT NULL,
    trigger text NOT NULL,
    cooldown_s integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT trader_versions_version_is_positive CHECK ((version >= 1))
);

COMMENT ON TABLE public.trader_versions IS 'What each version of a trader said; written by a trigger, so that a signal can be explained.';

COMMENT ON COLUMN public.trader_versions.trader_id IS 'The trader.';

COMMENT ON COLUMN public.trader_versions.version IS 'Version, from 1; signals.rule_version names it.';

COMMENT ON COLUMN public.trader_versions.name IS 'Name at that time.';

COMMENT ON COLUMN public.trader_versions.rule IS 'Rule text.';

COMMENT ON COLUMN public.trader_versions.venue IS 'Venue id.';

COMMENT ON COLUMN public.trader_versions.universe IS 'Symbols; null: the whole universe.';

COMMENT ON COLUMN public.trader_versions."interval" IS 'Kline interval.';

COMMENT ON COLUMN public.trader_versions.trigger IS 'enter, exit or while.';

COMMENT ON COLUMN public.trader_versions.cooldown_s IS 'Cooldown, seconds.';

COMMENT ON COLUMN public.trader_versions.created_at IS 'When this version began, UTC.';

ALTER TABLE public.traders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.traders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY ops.function_logs
    ADD CONSTRAINT function_logs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.local_secrets
    ADD CONSTRAINT local_secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.outbox
    ADD CONSTRAINT outbox_signal_is_sent_once UNIQUE (signal_id);

ALTER TABLE ONLY ops.run_errors
    ADD CONSTRAINT run_errors_count_once_a_run UNIQUE (run_id, trader_id);

ALTER TABLE ONLY ops.run_errors
    ADD CONSTRAINT run_errors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.runs
    ADD CONSTRAINT runs_slot_is_unique UNIQUE NULLS NOT DISTINCT (function, venue, "interval", closed_at, shard, trader_id);

ALTER TABLE ONLY ops.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.traders_revision
    ADD CONSTRAINT traders_revision_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.signal_overflows
    ADD CONSTRAINT signal_overflows_pkey PRIMARY KEY (trader_id, "interval", closed_at);

ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_happen_once UNIQUE (trader_id, instrument, closed_at, "interval", trigger);

ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tiers
    ADD CONSTRAINT tiers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.trader_versions
    ADD CONSTRAINT trader_versions_pkey PRIMARY KEY (trader_id, version);

ALTER TABLE ONLY public.traders
    ADD CONSTRAINT traders_pkey PRIMARY KEY (id);

CREATE INDEX function_logs_logged_at_idx ON ops.function_logs USING btree (logged_at);

CREATE INDEX function_logs_run_id_idx ON ops.function_logs USING btree (run_id) WHERE (run_id IS NOT NULL);

CREATE UNIQUE INDEX function_logs_slot_missed_once_idx ON ops.function_logs USING btree (((fields ->> 'slot'::text))) WHERE (event = 'slot_missed'::text);

CREATE INDEX outbox_due_idx ON ops.outbox USING btree (next_attempt_at) WHERE (status = 'pending'::text);

CREATE INDEX run_errors_trader_id_idx ON ops.run_errors USING btree (trader_id, id DESC);

CREATE INDEX runs_trader_id_idx ON ops.runs USING btree (trader_id) WHERE (trader_id IS NOT NULL);

CREATE INDEX runs_unfinished_idx ON ops.runs USING btree (closed_at) WHERE ((status = ANY (ARRAY['open'::text, 'claimed'::text])) OR (NOT complete));

CREATE INDEX runs_venue_interval_closed_at_idx ON ops.runs USING btree (venue, "interval", closed_at DESC);

CREATE INDEX profiles_tier_id_idx ON public.profiles USING btree (tier_id);

CREATE INDEX signal_overflows_closed_at_idx ON public.signal_overflows USING btree (closed_at);

CREATE INDEX signal_overflows_user_id_closed_at_idx ON public.signal_overflows USING btree (user_id, closed_at DESC);

CREATE INDEX signals_trader_id_closed_at_idx ON public.signals USING btree (trader_id, closed_at DESC);

CREATE INDEX signals_user_id_id_idx ON public.signals USING btree (user_id, id DESC);

CREATE INDEX traders_enabled_venue_interval_idx ON public.traders USING btree (venue, "interval", id) INCLUDE (enabled_at) WHERE enabled;

CREATE INDEX traders_failing_idx ON public.traders USING btree (venue, "interval") WHERE (error_count > 0);

CREATE INDEX traders_user_id_created_at_idx ON public.traders USING btree (user_id, created_at, id);

CREATE TRIGGER profiles_tier_changes_lists AFTER UPDATE OF tier_id ON public.profiles FOR EACH ROW WHEN ((old.tier_id IS DISTINCT FROM new.tier_id)) EXECUTE FUNCTION ops.bump_traders_revision();

CREATE TRIGGER profiles_tier_limits_traders AFTER UPDATE OF tier_id ON public.profiles FOR EACH ROW WHEN ((old.tier_id IS DISTINCT FROM new.tier_id)) EXECUTE FUNCTION ops.enforce_tier_quota();

CREATE TRIGGER profiles_update_touches_rows AFTER UPDATE ON public.profiles REFERENCING NEW TABLE AS touched_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_empty_write();

CREATE TRIGGER signals_are_broadcast AFTER INSERT ON public.signals REFERENCING NEW TABLE AS new_signals FOR EACH STATEMENT EXECUTE FUNCTION ops.broadcast_signals();

CREATE TRIGGER tiers_traders_max_limits_traders AFTER UPDATE OF traders_max ON public.tiers FOR EACH ROW WHEN ((old.traders_max IS DISTINCT FROM new.traders_max)) EXECUTE FUNCTION ops.enforce_tier_quota();

CREATE TRIGGER tiers_updated_change_lists AFTER UPDATE ON public.tiers FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_traders_revision();

CREATE TRIGGER traders_are_guarded BEFORE INSERT OR UPDATE ON public.traders FOR EACH ROW EXECUTE FUNCTION ops.guard_trader();

CREATE TRIGGER traders_delete_touches_rows AFTER DELETE ON public.traders REFERENCING OLD TABLE AS touched_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_empty_write();

CREATE TRIGGER traders_deleted_change_lists AFTER DELETE ON public.traders FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_traders_revision();

CREATE TRIGGER traders_inserted_change_lists AFTER INSERT ON public.traders FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_traders_revision();

CREATE TRIGGER traders_keep_versions AFTER INSERT OR UPDATE ON public.traders FOR EACH ROW EXECUTE FUNCTION ops.keep_trader_version();

CREATE TRIGGER traders_update_touches_rows AFTER UPDATE ON public.traders REFERENCING NEW TABLE AS touched_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_empty_write();

CREATE TRIGGER traders_updated_change_lists AFTER UPDATE ON public.traders REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_traders_revision_if_changed();

ALTER TABLE ONLY ops.outbox
    ADD CONSTRAINT outbox_signal_id_fkey FOREIGN KEY (signal_id) REFERENCES public.signals(id) ON DELETE CASCADE;

ALTER TABLE ONLY ops.run_errors
    ADD CONSTRAINT run_errors_run_id_fkey FOREIGN KEY (run_id) REFERENCES ops.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY ops.run_errors
    ADD CONSTRAINT run_errors_trader_id_fkey FOREIGN KEY (trader_id) REFERENCES public.traders(id) ON DELETE CASCADE;

ALTER TABLE ONLY ops.runs
    ADD CONSTRAINT runs_trader_id_fkey FOREIGN KEY (trader_id) REFERENCES public.traders(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_tier_id_fkey FOREIGN KEY (tier_id) REFERENCES public.tiers(id);

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.signal_overflows
    ADD CONSTRAINT signal_overflows_trader_id_fkey FOREIGN KEY (trader_id) REFERENCES public.traders(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_trader_id_fkey FOREIGN KEY (trader_id) REFERENCES public.traders(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.trader_versions
    ADD CONSTRAINT trader_versions_trader_id_fkey FOREIGN KEY (trader_id) REFERENCES public.traders(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.traders
    ADD CONSTRAINT traders_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(user_id) ON DELETE CASCADE;

ALTER TABLE ops.function_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.local_secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.outbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.run_errors ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.schedules ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.traders_revision ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.signal_overflows ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.signals ENABLE ROW LEVEL SECURITY;

CREATE POLICY "signed-in users read the tiers" ON public.tiers FOR SELECT TO authenticated USING (true);

ALTER TABLE public.tiers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.trader_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.traders ENABLE ROW LEVEL SECURITY;

CREATE POLICY "users change their own profile" ON public.profiles FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users delete their own traders" ON public.traders FOR DELETE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users read the versions of their own traders" ON public.trader_versions FOR SELECT TO authenticated USING ((trader_id IN ( SELECT traders.id
   FROM public.traders
  WHERE (traders.user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY "users read their own overflows" ON public.signal_overflows FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users read their own profile" ON public.profiles FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users read their own signals" ON public.signals FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users read their own traders" ON public.traders FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "users switch their own traders" ON public.traders FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));

REVOKE ALL ON FUNCTION ops.apply_schedules(page jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.is_symbol(symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.is_symbol(symbol text) TO authenticated;
GRANT ALL ON FUNCTION ops.is_symbol(symbol text) TO service_role;

REVOKE ALL ON FUNCTION ops.are_symbols(symbols text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.are_symbols(symbols text[]) TO authenticated;
GRANT ALL ON FUNCTION ops.are_symbols(symbols text[]) TO service_role;

REVOKE ALL ON FUNCTION ops.broadcast_signals() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.bump_traders_revision() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.bump_traders_revision_if_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.call_function(name text, body jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_outcome(outcome jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_trader_fields(trader jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_trader_quota(user_id uuid, is_inserted boolean, is_enabled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.create_profile() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.enforce_tier_quota() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.from_ms(instant_ms bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.guard_trader() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.interval_s("interval" text) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.interval_s("interval" text) TO authenticated;
GRANT ALL ON FUNCTION ops.interval_s("interval" text) TO service_role;

REVOKE ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) TO authenticated;
GRANT ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) TO service_role;

REVOKE ALL ON FUNCTION ops.insert_signals(run ops.runs, outcome jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.keep_trader_version() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_claimable_runs(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_traders(venue text, "interval" text, shard integer, shard_count integer, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.lock_claimed_run(run_id bigint, claim_token uuid) FROM PUBLIC;

GRANT SELECT ON TABLE public.tiers TO authenticated;
GRANT SELECT ON TABLE public.tiers TO service_role;

REVOKE ALL ON FUNCTION ops.lock_tier(user_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_due_slots(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_runs(venue text, "interval" text, closed_ats timestamp with time zone[], opened_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_trader_run(venue text, "interval" text, closed_at timestamp with time zone, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.refuse_empty_write() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.rescue_runs(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.schedules_drift() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.secret(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.setting(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.store_secret(name text, value text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.store_trader_errors(run ops.runs, errors jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.tick(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.to_ms(instant timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON PROCEDURE ops."trim"(IN batches_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.trim_batch(rows_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.unwrap_json(document jsonb, field text, kind text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.watch_slots() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.write_log(level text, event text, fields jsonb, run_id bigint, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint) TO service_role;

REVOKE ALL ON FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) TO service_role;

REVOKE ALL ON FUNCTION public.open_slot(venue text, "interval" text, closed_at_ms bigint, trader_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_slot(venue text, "interval" text, closed_at_ms bigint, trader_id bigint) TO service_role;

REVOKE ALL ON FUNCTION public.store_trader(user_id uuid, trader jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.store_trader(user_id uuid, trader jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.write_logs(rows jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.write_logs(rows jsonb) TO service_role;

GRANT SELECT,DELETE ON TABLE public.traders TO authenticated;
GRANT SELECT ON TABLE public.traders TO service_role;

GRANT UPDATE(enabled) ON TABLE public.traders TO authenticated;

GRANT SELECT ON TABLE public.feed_status TO authenticated;
GRANT SELECT ON TABLE public.feed_status TO service_role;

GRANT SELECT ON TABLE public.profiles TO authenticated;
GRANT SELECT ON TABLE public.profiles TO service_role;

GRANT UPDATE(display_name) ON TABLE public.profiles TO authenticated;

GRANT UPDATE(tier_id) ON TABLE public.profiles TO service_role;

GRANT UPDATE(is_admin) ON TABLE public.profiles TO service_role;

GRANT SELECT ON TABLE public.signal_overflows TO authenticated;
GRANT SELECT ON TABLE public.signal_overflows TO service_role;

GRANT SELECT ON TABLE public.signals TO authenticated;
GRANT SELECT ON TABLE public.signals TO service_role;

GRANT SELECT ON TABLE public.trader_versions TO authenticated;
GRANT SELECT ON TABLE public.trader_versions TO service_role;
