CREATE SCHEMA ops;

COMMENT ON SCHEMA ops IS 'Private: slots, runs, logs, settings. Reached by routines and SQL editors, never by REST.';

CREATE TYPE ops.cause AS (
	kind text,
	subject text,
	severity text,
	message text,
	details jsonb
);

COMMENT ON TYPE ops.cause IS 'Something abnormal, as a look finds it: what ops.raise_incident takes.';

CREATE TABLE ops.incidents (
    id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    severity text NOT NULL,
    message text NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    quiet_s integer NOT NULL,
    raised_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    acknowledged_at timestamp with time zone,
    acknowledged_by text,
    note text DEFAULT ''::text NOT NULL,
    closed_at timestamp with time zone,
    closed_by text,
    CONSTRAINT incidents_acknowledged_by_is_1_to_200_characters CHECK (((length(acknowledged_by) >= 1) AND (length(acknowledged_by) <= 200))),
    CONSTRAINT incidents_acknowledged_has_a_name CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL))),
    CONSTRAINT incidents_closed_by_is_1_to_200_characters CHECK (((length(closed_by) >= 1) AND (length(closed_by) <= 200))),
    CONSTRAINT incidents_closed_has_a_name CHECK (((closed_at IS NULL) = (closed_by IS NULL))),
    CONSTRAINT incidents_details_is_bounded CHECK ((pg_column_size(details) <= 16000)),
    CONSTRAINT incidents_details_is_object CHECK ((jsonb_typeof(details) = 'object'::text)),
    CONSTRAINT incidents_kind_is_known CHECK ((kind = ANY (ARRAY['slot_missing'::text, 'feed_stale'::text, 'schedule_failing'::text, 'schedule_paused'::text, 'outbox_growing'::text, 'cron_silent'::text, 'requests_silent'::text, 'budget_exceeded'::text, 'backup_overdue'::text]))),
    CONSTRAINT incidents_message_is_1_to_1000_characters CHECK (((length(message) >= 1) AND (length(message) <= 1000))),
    CONSTRAINT incidents_note_is_bounded CHECK ((length(note) <= 2000)),
    CONSTRAINT incidents_quiet_s_is_positive CHECK ((quiet_s > 0)),
    CONSTRAINT incidents_severity_is_known CHECK ((severity = ANY (ARRAY['warn'::text, 'error'::text]))),
    CONSTRAINT incidents_subject_is_1_to_200_characters CHECK (((length(subject) >= 1) AND (length(subject) <= 200)))
);

COMMENT ON TABLE ops.incidents IS 'What is, or was, abnormal: one open row a kind and subject. docs/runbook.md says what to do.';

COMMENT ON COLUMN ops.incidents.id IS 'Identity.';

COMMENT ON COLUMN ops.incidents.kind IS 'What is wrong; each kind is a section of docs/runbook.md.';

COMMENT ON COLUMN ops.incidents.subject IS 'With what: an interval, a schedule, a service.';

COMMENT ON COLUMN ops.incidents.severity IS 'warn: look when you can. error: signals are, or will be, late or lost.';

COMMENT ON COLUMN ops.incidents.message IS 'What was seen last, in plain words.';

COMMENT ON COLUMN ops.incidents.details IS 'The figures behind the message, for programs.';

COMMENT ON COLUMN ops.incidents.quiet_s IS 'Seconds without its cause being seen after which it closes by itself.';

COMMENT ON COLUMN ops.incidents.raised_at IS 'When it was seen first, UTC.';

COMMENT ON COLUMN ops.incidents.last_seen_at IS 'When its cause was seen last, UTC.';

COMMENT ON COLUMN ops.incidents.acknowledged_at IS 'When somebody took it in hand, UTC; null: nobody yet.';

COMMENT ON COLUMN ops.incidents.acknowledged_by IS 'Who did; null: nobody yet.';

COMMENT ON COLUMN ops.incidents.note IS 'What people wrote about it, a line each.';

COMMENT ON COLUMN ops.incidents.closed_at IS 'When it ended, UTC; null: it is open.';

COMMENT ON COLUMN ops.incidents.closed_by IS 'Who closed it: watch (its cause was gone) or a person; null: it is open.';

CREATE FUNCTION ops.acknowledge_incident(id bigint, note text DEFAULT ''::text, who text DEFAULT SESSION_USER) RETURNS ops.incidents
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Say that somebody takes an incident in hand; the first to do so stays named, later ones only add
-- their note. Returns the incident. PT404, PT409 (closed), PT400 (note too long).
declare
    incident ops.incidents := ops.lock_open_incident(acknowledge_incident.id, note);
begin
    update ops.incidents
    set
        acknowledged_at = coalesce(incident.acknowledged_at, now()),
        acknowledged_by = coalesce(incident.acknowledged_by, left(who, 200)),
        note = ops.add_note(incident.note, left(who, 200), acknowledge_incident.note)
    where incidents.id = incident.id
    returning incidents.* into incident;
    return incident;
end
$$;

COMMENT ON FUNCTION ops.acknowledge_incident(id bigint, note text, who text) IS 'Take an open incident in hand, with a note; returns it. PT404, PT409, PT400.';

CREATE FUNCTION ops.add_note(notes text, who text, note text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    -- Return notes with one more line, "who: note"; the oldest characters give way.
    select case
        when coalesce(btrim(note), '') = '' then notes
        else right(
            concat_ws(e'\n', nullif(notes, ''), format('%s: %s', who, btrim(note))), 2000
        )
    end;
$$;

COMMENT ON FUNCTION ops.add_note(notes text, who text, note text) IS 'The notes of an incident with one more line; unchanged if the note is empty.';

CREATE FUNCTION ops.add_restored_users(users jsonb) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
-- Add the users of a backup that the auth service does not have, under their old ids and without
-- a password: they sign in by "forgot password". Returns their count.
-- [{"id", "email", "email_confirmed_at", "created_at"}]. The auth schema is the platform's: only
-- columns it has are written. Its server reads some texts that must not be null.
-- PT409 where an account of the same address has another id.
declare
    fields text;
    added_count integer;
    taken text;
begin
    select string_agg(quote_literal(accounts.email), ', ' order by accounts.email)
    into taken
    from auth.users as accounts
    inner join jsonb_to_recordset(add_restored_users.users) as given (id uuid, email text)
        on given.email = accounts.email and given.id <> accounts.id;
    if taken is not null then
        raise sqlstate 'PT409' using
            message = 'expected the users of the backup under their own ids,'
                ' other accounts have the addresses ' || taken,
            hint = format(
                'if these accounts may go, in the target: delete from auth.users where email in (%s)',
                taken
            );
    end if;
    select string_agg(quote_ident(attributes.attname), ', ' order by attributes.attname)
    into fields
    from pg_catalog.pg_attribute as attributes
    where attributes.attrelid = to_regclass('auth.users')
        and attributes.attnum > 0
        and not attributes.attisdropped
        and attributes.attname in (
            'id', 'email', 'email_confirmed_at', 'created_at', 'updated_at', 'instance_id', 'aud',
            'role', 'raw_app_meta_data', 'raw_user_meta_data', 'confirmation_token',
            'recovery_token', 'email_change', 'email_change_token_new'
        );
    execute format(
        $query$
        insert into auth.users (%1$s)
        select %1$s
        from jsonb_populate_recordset(
            null::auth.users,
            (
                select coalesce(jsonb_agg(
                    $2 || jsonb_build_object('updated_at', given.item -> 'created_at') || given.item
                ), '[]')
                from jsonb_array_elements($1) as given (item)
                where not exists (
                    select from auth.users where users.id = (given.item ->> 'id')::uuid
                )
            )
        )
        $query$,
        fields
    )
    using
        users,
        jsonb_build_object(
            'instance_id', '00000000-0000-0000-0000-000000000000',
            'aud', 'authenticated',
            'role', 'authenticated',
            'raw_app_meta_data', '{"provider": "email", "providers": ["email"]}'::jsonb,
            'raw_user_meta_data', '{}'::jsonb,
            'confirmation_token', '',
            'recovery_token', '',
            'email_change', '',
            'email_change_token_new', ''
        );
    get diagnostics added_count = row_count;
    return added_count;
end
$_$;

COMMENT ON FUNCTION ops.add_restored_users(users jsonb) IS 'Add users of a backup that auth.users lacks, without a password; returns their count.';

CREATE FUNCTION ops.apply(page jsonb, dry_run boolean DEFAULT false) RETURNS TABLE(change text, name text, detail text)
    LANGUAGE plpgsql
    SET search_path TO ''
    SET lock_timeout TO '5s'
    AS $$
-- Make ops.timetable and, where pg_cron is, cron.job equal to a page, and return what that
-- changes (ops.diff). All of it or nothing: one impossible schedule refuses the page.
-- Pauses stay as they are. Jobs that nobody's page has are reported and left alone.
-- Runs as its caller: jobs belong to whoever schedules.
declare
    cron_zone text := (
        select settings.setting from pg_catalog.pg_settings as settings
        where settings.name = 'cron.timezone'
    );
    has_cron boolean := to_regclass('cron.job') is not null;
    entry record;
begin
    if page is null then
        raise sqlstate 'PT400' using
            message = 'expected a page of schedules, was null',
            hint = 'the page is sql/schedules.sql';
    end if;
    if upper(cron_zone) not in ('GMT', 'UTC', 'ETC/UTC', 'ETC/GMT') then
        raise sqlstate 'PT409' using
            message = format('expected pg_cron to run by UTC, cron.timezone was %s', cron_zone),
            hint = 'timings are UTC everywhere; set cron.timezone to GMT and restart Postgres';
    end if;
    -- Two pages at once would mix.
    lock table ops.timetable in share row exclusive mode;
    return query
    select found.change, found.name, found.detail
    from ops.diff(page) as found;
    if dry_run then
        return;
    end if;

    for entry in
        delete from ops.timetable
        where timetable.name not in (
            select item ->> 'name' from jsonb_array_elements(page) as item
        )
        returning timetable.name
    loop
        if has_cron then
            perform cron.unschedule(job.id)
            from ops.cron_jobs() as job
            where job.name = entry.name;
        end if;
    end loop;
    for entry in
        select checked.*, aim.schedule as job_schedule, aim.command as job_command
        from ops.check_page(page) as checked
        cross join lateral ops.wanted_job(checked.name, checked.timing) as aim
        order by checked.name
    loop
        insert into ops.timetable (name, timing, command, description, overlap)
        values (entry.name, entry.timing, entry.command, entry.description, entry.overlap)
        on conflict on constraint timetable_pkey do update
        set
            timing = excluded.timing,
            command = excluded.command,
            description = excluded.description,
            overlap = excluded.overlap
        where (timetable.timing, timetable.command, timetable.description, timetable.overlap)
            is distinct from
            (excluded.timing, excluded.command, excluded.description, excluded.overlap);
        if has_cron and not exists (
            select
            from ops.cron_jobs() as job
            where job.name = entry.name
                and job.is_active
                and job.schedule = entry.job_schedule
                and job.command = entry.job_command
        ) then
            -- Scheduling a name again replaces the job, but leaves a switched-off one off.
            perform cron.schedule(entry.name, entry.job_schedule, entry.job_command);
            perform cron.alter_job(job.id, active => true)
            from ops.cron_jobs() as job
            where job.name = entry.name and not job.is_active;
        end if;
    end loop;
end
$$;

COMMENT ON FUNCTION ops.apply(page jsonb, dry_run boolean) IS 'Make the timetable and cron.job equal to a page, all or nothing; returns what changes. dry_run: change nothing.';

CREATE FUNCTION ops.is_symbol(symbol text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((length(symbol) >= 1) AND (length(symbol) <= 80)) AND (symbol !~ '[[:space:][:cntrl:]"'',{}\\]'::text));

COMMENT ON FUNCTION ops.is_symbol(symbol text) IS 'Whether a text can be a venue''s symbol: 1 to 80 characters, no blanks, quotes or commas. Venues list symbols outside ASCII too.';

CREATE FUNCTION ops.are_symbols(symbols text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (NOT (EXISTS (SELECT FROM unnest(are_symbols.symbols) listed(symbol) WHERE ((listed.symbol IS NULL) OR (NOT ops.is_symbol(listed.symbol))))));

COMMENT ON FUNCTION ops.are_symbols(symbols text[]) IS 'Whether every element is a symbol.';

CREATE FUNCTION ops.backup_manifest() RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- What the database holds, as a backup of this snapshot must hold it:
-- {"schema_versions": [], "tables": {name: {"rows", "checksum"}}, "excluded": {name: reason},
-- "sequences": {name: last value}}. Reads every row of every table in it.
declare
    tables jsonb;
    excluded jsonb;
    sequences jsonb;
begin
    select
        coalesce(
            jsonb_object_agg(listed.name, ops.table_checksum(listed.name))
                filter (where listed.excluded_because is null),
            '{}'
        ),
        coalesce(
            jsonb_object_agg(listed.name, listed.excluded_because)
                filter (where listed.excluded_because is not null),
            '{}'
        )
    into tables, excluded
    from ops.list_backup_tables() as listed;
    select
        coalesce(
            jsonb_object_agg(format('%I.%I', schemaname, sequencename), last_value)
                filter (where last_value is not null),
            '{}'
        )
    into sequences
    from pg_catalog.pg_sequences
    where schemaname in ('public', 'ops', 'trading');
    return jsonb_build_object(
        'schema_versions', ops.schema_versions(),
        'tables', tables,
        'excluded', excluded,
        'sequences', sequences
    );
end
$$;

COMMENT ON FUNCTION ops.backup_manifest() IS 'Counts and checksums of all tables in a backup, what is excluded and why, sequences, schema.';

CREATE FUNCTION ops.before_bars(cadence text, "interval" text, closed_at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- How many bars before a close the previous due close of a cadence is, 1 to 500; 500 also if it
-- is further away: no function holds more bars. Cron is searched backwards, ever longer spans.
declare
    length interval := make_interval(secs => ops.interval_s("interval"));
    every_count integer := ops.cadence_count(cadence);
    oldest timestamptz := closed_at - length * 501;
    until timestamptz := closed_at - length;
    span interval := interval '1 day';
    instant timestamptz;
begin
    if cadence = 'close' then
        return 1;
    end if;
    if every_count is not null then
        return least(
            500,
            coalesce(
                nullif(
                    (extract(epoch from closed_at)::bigint / ops.interval_s("interval"))
                    % every_count,
                    0
                ),
                every_count
            )
        );
    end if;
    while until > oldest loop
        select max(instants)
        into instant
        from ops.cron_instants(cadence, greatest(until - span, oldest), until) as instants;
        if instant is not null then
            return floor(extract(epoch from closed_at - instant) / ops.interval_s("interval"));
        end if;
        until := until - span;
        span := span * 2;
    end loop;
    return 500;
end
$$;

COMMENT ON FUNCTION ops.before_bars(cadence text, "interval" text, closed_at timestamp with time zone) IS 'Bars from a close back to the previous due close of a cadence, 1 to 500 (the bound).';

CREATE FUNCTION ops.begin_run(name text, by_hand boolean, is_patient boolean, OUT run_id bigint, OUT is_waiting boolean, OUT command text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- Write the row of a run that begins, or of one that is skipped (run_id null): its schedule is
-- paused, or the run before is under way. `is_waiting`: ask again in a moment; only for overlap
-- "queue", and while the caller `is_patient`.
-- A run by hand is not held up by a pause; where it would be skipped it is refused (PT409).
-- The schedule is locked meanwhile, so that two that begin at once see each other's rows.
declare
    schedule ops.timetable := ops.lock_schedule(name);
    last record;
    skip_reason text;
begin
    is_waiting := false;
    command := schedule.command;
    perform ops.close_dead_runs();
    perform ops.keep_http_answers(name);
    select runs.started_at, runs.ended_at
    into last
    from ops.schedule_runs as runs
    where runs.schedule = begin_run.name and runs.status <> 'skipped'
    order by runs.started_at desc
    limit 1;
    if not by_hand and schedule.paused_until > clock_timestamp() then
        skip_reason := format('paused: %s', schedule.pause_reason);
    elsif last.started_at is not null and last.ended_at is null then
        is_waiting := schedule.overlap = 'queue' and is_patient;
        skip_reason := format(
            'the run of %s is under way',
            to_char(last.started_at at time zone 'UTC', 'HH24:MI:SS "UTC"')
        );
    elsif not by_hand
        and schedule.overlap = 'skip'
        -- pg_cron keeps a run that is due while its job is busy, and starts it as soon as the job
        -- is free: due within the last run, and not since.
        and (ops.next_runs(schedule.timing, last.started_at, 1))[1] <= last.ended_at
        and (ops.next_runs(schedule.timing, last.ended_at, 1))[1] > clock_timestamp()
    then
        skip_reason := format(
            'it was due while the run of %s was under way',
            to_char(last.started_at at time zone 'UTC', 'HH24:MI:SS "UTC"')
        );
    end if;
    if is_waiting then
        return;
    end if;
    if by_hand then
        if skip_reason is not null then
            raise sqlstate 'PT409' using
                message = format('expected %s to be free, %s', name, skip_reason),
                hint = 'wait for it to end; ops.history shows when';
        end if;
        perform ops.record_act('run_now', 'schedule ' || name);
    end if;
    insert into ops.schedule_runs (schedule, status, ended_at, error, by_hand)
    values (
        name,
        case when skip_reason is null then 'running' else 'skipped' end,
        case when skip_reason is not null then clock_timestamp() end,
        skip_reason,
        begin_run.by_hand
    )
    returning schedule_runs.id into run_id;
    if skip_reason is not null then
        run_id := null;
    end if;
end
$$;

COMMENT ON FUNCTION ops.begin_run(name text, by_hand boolean, is_patient boolean, OUT run_id bigint, OUT is_waiting boolean, OUT command text) IS 'Write the row of a run that begins or is skipped; returns its id (null: skipped) and command.';

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

CREATE FUNCTION ops.cadence_count(cadence text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ("substring"(cadence, '^every ([2-9]|[1-9][0-9]{1,2}|1000) closes$'::text))::integer;

COMMENT ON FUNCTION ops.cadence_count(cadence text) IS 'N of a cadence ''every N closes'', 2 to 1,000; null if it is another.';

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

CREATE FUNCTION ops.check_command(command text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    SET check_function_bodies TO 'on'
    AS $$
-- Refuse (PT400) what a schedule could not run: anything but one select or call, one that does
-- not parse, and one that names a function, table or argument that is not there. Nothing runs:
-- Postgres checks it as the body of a procedure, which is gone at once.
begin
    if command !~* '^\s*(select|call)\s' or command ~ ';\s*\S' then
        raise sqlstate 'PT400' using
            message = format('expected a command of one select or call, was "%s"', command),
            hint = 'put the rest into a function';
    end if;
    execute format('create procedure pg_temp.checked_command() language sql as %L', command);
    execute 'drop procedure pg_temp.checked_command()';
exception
    when sqlstate 'PT400' then raise;
    when others then
        raise sqlstate 'PT400' using
            message = format('expected a command that can run, was "%s": %s', command, sqlerrm),
            hint = 'write names with their schema: select ops.tick();';
end
$$;

COMMENT ON FUNCTION ops.check_command(command text) IS 'Refuse with PT400 a command of a schedule that does not parse or names what is not there.';

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

CREATE FUNCTION ops.check_page(page jsonb) RETURNS TABLE(name text, timing text, command text, description text, overlap text)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
-- Return the schedules of a page, or refuse the whole page naming the schedule that is wrong:
-- [{"name", "timing", "command", "description", "overlap": "skip"}].
-- PT400: no such field, no such time, a command that cannot run. PT409: a name that is there twice.
declare
    entry jsonb;
    wrong text;
    seconds_count integer := 0;
    -- Of pg_cron's workers a schedule of seconds holds one all the time.
    seconds_max integer := (
        select settings.setting::integer / 2 from pg_catalog.pg_settings as settings
        where settings.name = 'cron.max_running_jobs'
    );
begin
    if jsonb_typeof(page) is distinct from 'array'
        or jsonb_array_length(page) not between 1 and 200
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a page of 1 to 200 schedules, was %s',
                case
                    when page is null then 'null'
                    when jsonb_typeof(page) = 'array' then jsonb_array_length(page) || ' of them'
                    else jsonb_typeof(page)
                end
            ),
            hint = 'to stop everything, pause it:'
                ' select ops.pause(name, ''infinity'', ''…'') from ops.schedules;';
    end if;
    for entry in select jsonb_array_elements(page) loop
        if jsonb_typeof(entry) <> 'object' then
            raise sqlstate 'PT400' using
                message = format(
                    'expected a schedule to be an object, was %s', left(entry::text, 100)
                );
        end if;
        name := entry ->> 'name';
        begin
            select coalesce(
                min(
                    case
                        when expected.field is null then format('%s: no such field', given.key)
                        when given.key is null then format('%s: missing', expected.field)
                        else format('%s: expected a text, was %s', given.key, given.value)
                    end
                ), ''
            )
            into wrong
            from (
                values
                    ('name', true), ('timing', true), ('command', true), ('description', true),
                    ('overlap', false)
            ) as expected (field, is_needed)
            full join jsonb_each(entry) as given on given.key = expected.field
            where expected.field is null
                or (given.key is null and expected.is_needed)
                or jsonb_typeof(given.value) <> 'string';
            if wrong <> '' then
                raise sqlstate 'PT400' using
                    message = wrong,
                    hint = 'fields: name, timing, command, description, overlap';
            end if;
            if name !~ '^[a-z][a-z0-9_]{0,62}$' then
                raise sqlstate 'PT400' using message =
                    'expected a name of small letters, digits and _, a letter first';
            end if;
            timing := regexp_replace(btrim(entry ->> 'timing'), '\s+', ' ', 'g');
            if cardinality(ops.next_runs(timing, now(), 1)) = 0 then
                raise sqlstate 'PT400' using
                    message = format('expected a time that comes, "%s" never does', timing);
            end if;
            command := btrim(entry ->> 'command');
            perform ops.check_command(command);
            description := entry ->> 'description';
            overlap := coalesce(entry ->> 'overlap', 'skip');
            if overlap not in ('skip', 'queue') then
                raise sqlstate 'PT400' using
                    message = format('expected overlap skip or queue, was "%s"', overlap);
            end if;
            if length(command) > 1000 or length(description) > 1000 then
                raise sqlstate 'PT400' using
                    message = 'expected command and description of at most 1,000 characters';
            end if;
        exception
            when sqlstate 'PT400' then
                get stacked diagnostics wrong = pg_exception_hint;
                raise sqlstate 'PT400' using
                    message = format(
                        'schedule %s: %s', coalesce(name, left(entry::text, 100)), sqlerrm
                    ),
                    hint = wrong;
        end;
        seconds_count := seconds_count + (ops.every_s(timing) is not null)::integer;
        return next;
    end loop;
    if seconds_count > seconds_max then
        raise sqlstate 'PT400' using
            message = format(
                'expected at most %s schedules of every N s, were %s', seconds_max, seconds_count
            ),
            hint = 'each holds a worker of pg_cron all the time, and half of them'
                ' (cron.max_running_jobs) are for all others';
    end if;
    select string_agg(distinct twice.name, ', ')
    into wrong
    from (
        select item ->> 'name' as name
        from jsonb_array_elements(page) as item
        group by item ->> 'name'
        having count(*) > 1
    ) as twice;
    if wrong is not null then
        raise sqlstate 'PT409' using
            message = format('expected each name once on the page, there twice: %s', wrong),
            hint = 'rename or delete one of them';
    end if;
end
$_$;

COMMENT ON FUNCTION ops.check_page(page jsonb) IS 'The schedules of a page, or PT400/PT409 naming the one that is wrong.';

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
            ('cadence', '^"', 'a text', false),
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

CREATE FUNCTION ops.check_usage(reports jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
-- Refuse, with PT400, reports that are not as documented (see public.add_usage).
declare
    wrong text;
begin
    if jsonb_array_length(reports) > 20 then
        raise sqlstate 'PT400' using
            message = format('expected at most 20 reports, was %s', jsonb_array_length(reports)),
            hint = 'rows';
    end if;
    select left(item::text, 200)
    into wrong
    from jsonb_array_elements(reports) as item
    where not coalesce(
        item ->> 'reporter' ~ '^(collector|functions)-[a-z0-9-]{1,50}$'
        and jsonb_typeof(item -> 'totals') = 'object',
        false
    )
    limit 1;
    if wrong is not null then
        raise sqlstate 'PT400' using
            message = format('expected {"reporter": "functions-…", "totals": {…}}, was %s', wrong),
            hint = 'rows';
    end if;
    select left(format('%s: %s', entry.key, entry.value), 200)
    into wrong
    from jsonb_array_elements(reports) as item
    cross join lateral jsonb_each(item -> 'totals') as entry
    where not exists (select from ops.meters where meter = entry.key and not is_level)
        or jsonb_typeof(entry.value) <> 'number'
        or case
            when jsonb_typeof(entry.value) = 'number'
            then (entry.value #>> '{}')::numeric not between 0 and 1e15
        end
    limit 1;
    if wrong is not null then
        raise sqlstate 'PT400' using
            message = format(
                'expected a meter of ops.meters that adds up, with an amount of 0 to 1e15, was %s',
                wrong
            ),
            hint = 'rows';
    end if;
end
$_$;

COMMENT ON FUNCTION ops.check_usage(reports jsonb) IS 'Refuse reports of usage that name no meter, or no amount, or are too many (PT400).';

CREATE FUNCTION ops.close_dead_runs() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- Write down as failed the runs whose process is gone: a command that commits cannot be watched
-- by an exception block, and a process may be killed. What pg_cron heard of it is the error.
-- Called at the start of each run; returns how many there were.
declare
    dead record;
    heard_status text;
    heard_message text;
    heard_at timestamptz;
    dead_count integer := 0;
begin
    for dead in
        select runs.id, runs.pid, runs.started_at
        from ops.schedule_runs as runs
        where runs.status = 'running' and not ops.is_alive(runs.pid, runs.started_at)
        for no key update skip locked
    loop
        if to_regclass('cron.job_run_details') is not null then
            select run.status, run.return_message, run.end_time
            into heard_status, heard_message, heard_at
            from cron.job_run_details as run
            where run.job_pid = dead.pid and run.start_time <= dead.started_at
            order by run.runid desc
            limit 1;
            -- pg_cron has not heard of it yet, or not even written down which process it is: later.
            continue when heard_status in ('starting', 'running', 'connecting', 'sending')
                or (heard_status is null and dead.started_at > now() - interval '10 seconds');
        end if;
        update ops.schedule_runs
        set
            status = 'failed',
            ended_at = coalesce(heard_at, clock_timestamp()),
            error = left(
                coalesce(
                    nullif(btrim(heard_message, E' \n'), ''),
                    'its process ended without a word'
                ), 2000
            )
        where schedule_runs.id = dead.id;
        dead_count := dead_count + 1;
    end loop;
    return dead_count;
end
$$;

COMMENT ON FUNCTION ops.close_dead_runs() IS 'Write down as failed the runs whose process is gone; returns their count.';

CREATE FUNCTION ops.close_incident(id bigint, note text DEFAULT ''::text, who text DEFAULT SESSION_USER) RETURNS ops.incidents
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Close an incident by hand. If its cause is still there the next look raises a new one; only the
-- slots that a slot_missing named are settled. Returns the incident. PT404, PT409, PT400.
declare
    incident ops.incidents := ops.lock_open_incident(close_incident.id, note);
begin
    update ops.incidents
    set
        closed_at = now(),
        closed_by = left(who, 200),
        note = ops.add_note(incident.note, left(who, 200), close_incident.note)
    where incidents.id = incident.id
    returning incidents.* into incident;
    perform ops.write_log(
        'info', 'incident_closed',
        jsonb_build_object(
            'incident_id', incident.id, 'kind', incident.kind, 'subject', incident.subject,
            'closed_by', incident.closed_by
        )
    );
    return incident;
end
$$;

COMMENT ON FUNCTION ops.close_incident(id bigint, note text, who text) IS 'Close an open incident by hand, with a note; returns it. PT404, PT409, PT400.';

CREATE FUNCTION ops.close_quiet_incidents() RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Close incidents whose cause was not seen for their quiet_s; returns how many. The pause is
    -- the hysteresis: what comes and goes within it is one incident.
    with closed as (
        update ops.incidents
        set closed_at = now(), closed_by = 'watch'
        where incidents.closed_at is null
            and incidents.last_seen_at < now() - make_interval(secs => incidents.quiet_s)
        returning incidents.id, incidents.kind, incidents.subject
    ),
    logged as (
        insert into ops.function_logs (source, level, event, fields)
        select
            'postgres',
            'info',
            'incident_closed',
            jsonb_build_object(
                'incident_id', closed.id, 'kind', closed.kind, 'subject', closed.subject,
                'closed_by', 'watch'
            )
        from closed
    )
    select count(*)::integer from closed;
$$;

COMMENT ON FUNCTION ops.close_quiet_incidents() IS 'Close incidents whose cause was not seen for a while; returns how many.';

CREATE FUNCTION ops.count_lines(stored integer DEFAULT 0, bytes bigint DEFAULT 0, sampled integer DEFAULT 0, dropped integer DEFAULT 0) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Add to today's counts of log lines. Takes any row of today that no other writer holds, or makes
-- one: a writer never waits for another's transaction.
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
begin
    update ops.log_days
    set
        lines_count = log_days.lines_count + stored,
        bytes_count = log_days.bytes_count + bytes,
        sampled_count = log_days.sampled_count + sampled,
        dropped_count = log_days.dropped_count + dropped
    where log_days.id = (
        select free.id
        from ops.log_days as free
        where free.day = today
        order by free.id
        limit 1
        for update skip locked
    );
    if not found then
        insert into ops.log_days (day, lines_count, bytes_count, sampled_count, dropped_count)
        values (today, stored, bytes, sampled, dropped);
    end if;
end
$$;

COMMENT ON FUNCTION ops.count_lines(stored integer, bytes bigint, sampled integer, dropped integer) IS 'Add to today''s counts of log lines, without waiting for other writers.';

CREATE FUNCTION ops.count_usage() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
-- Every ten minutes: count what Postgres alone can see (rows written, its size, messages sent)
-- and forget what is past its retention. The first call only remembers where to begin.
-- Returns the amounts added, by meter.
declare
    today date := (now() at time zone 'UTC')::date;
    -- What began a minute ago is committed by now.
    until timestamptz := now() - interval '1 minute';
    known jsonb;
    rows_total numeric;
    messages_count bigint := 0;
    messages_bytes bigint := 0;
    added jsonb := jsonb_build_object();
begin
    insert into ops.usage_reporters (reporter)
    values ('postgres')
    on conflict do nothing;
    select usage_reporters.totals
    into known
    from ops.usage_reporters
    where usage_reporters.reporter = 'postgres'
    for update;

    select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
    into rows_total
    from pg_catalog.pg_stat_user_tables
    where schemaname in ('public', 'ops');
    if known ? 'until' then
        added := jsonb_build_object(
            'database_rows',
            -- Smaller than before: the statistics were reset and count from nothing.
            case
                when rows_total >= (known ->> 'database_rows')::numeric
                then rows_total - (known ->> 'database_rows')::numeric
                else rows_total
            end
        );
        if to_regclass('realtime.messages') is not null then
            execute
                'select count(*), coalesce(sum(octet_length(payload::text)), 0)'
                ' from realtime.messages'
                ' where extension = ''broadcast'' and inserted_at >= $1 and inserted_at < $2'
            into messages_count, messages_bytes
            using (known ->> 'until')::timestamptz, until;
            -- One sent and, to one open dashboard of the user, one received.
            added := added || jsonb_build_object(
                'realtime_messages', 2 * messages_count, 'egress_bytes', messages_bytes
            );
        end if;
    end if;

    insert into ops.usage (meter, day, amount, settled_at, settled_amount)
    select entry.key, today, entry.value::numeric, now(), entry.value::numeric
    from jsonb_each_text(added) as entry
    order by entry.key
    on conflict (meter, day) do update
    set amount = usage.amount + excluded.amount;
    insert into ops.usage (meter, day, amount)
    values ('database_bytes', today, pg_database_size(current_database()))
    on conflict (meter, day) do update
    set amount = excluded.amount;

    update ops.usage_reporters
    set
        totals = jsonb_build_object('database_rows', rows_total, 'until', until),
        reported_at = now()
    where usage_reporters.reporter = 'postgres';
    delete from ops.usage
    where usage.day < today - ops.setting('usage_retention_days')::integer;
    -- One that is silent for a week has ended; should it come back, its total counts once more.
    delete from ops.usage_reporters
    where usage_reporters.reported_at < now() - interval '7 days';
    return added;
end
$_$;

COMMENT ON FUNCTION ops.count_usage() IS 'Scheduled every ten minutes: count rows written, size and messages; trim what is old.';

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

CREATE FUNCTION ops.cron_field(field text, name text, low integer, high integer, words text[] DEFAULT NULL::text[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $_$
-- Return the numbers that one field of a cron expression lists, `low` to `high`, ascending.
-- `words`: names of the numbers from `low` on. What pg_cron takes: * · 5 · 1-5 · mon-fri · */15 ·
-- 10-50/20, and lists of them. What it would read in silence as something else (5/15, 9-3) is
-- refused (PT400), and so is what only some of its versions take ($, @daily).
declare
    part text;
    pieces text[];
    first integer;
    last integer;
    step integer;
    found integer[] := array[]::integer[];
    all_numbers constant integer[] := array[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
        26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
        49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59
    ];
begin
    -- Nearly every field is one of these two, and a tick reads each cadence: a tenth of the time.
    if field = '*' then
        return all_numbers[low + 1:high + 1];
    elsif length(field) <= 2 and field ~ '^[0-9]+$' and field::integer between low and high then
        return array[field::integer];
    end if;
    foreach part in array string_to_array(field, ',') loop
        pieces := regexp_match(
            lower(part),
            '^(?:(\*)|([a-z]{3}|[0-9]{1,2})(?:-([a-z]{3}|[0-9]{1,2}))?)(?:/([0-9]{1,2}))?$'
        );
        if pieces[1] is not null then
            first := low;
            last := high;
        else
            first := coalesce(
                array_position(words, pieces[2]) - 1 + low,
                substring(pieces[2] from '^[0-9]+$')::integer
            );
            last := case
                when pieces[3] is null then first
                else coalesce(
                    array_position(words, pieces[3]) - 1 + low,
                    substring(pieces[3] from '^[0-9]+$')::integer
                )
            end;
        end if;
        step := coalesce(pieces[4]::integer, 1);
        if (first between low and high and last between low and high) is not true then
            raise sqlstate 'PT400' using message = format(
                '%s: expected %s to %s%s, was %s', name, low, high,
                case when words is null then '' else format(
                    ' or %s to %s', words[1], words[cardinality(words)]
                ) end,
                coalesce(nullif(part, ''), 'empty')
            );
        elsif first > last then
            raise sqlstate 'PT400' using
                message = format('%s: expected the smaller first, was %s', name, part),
                hint = 'write two ranges with a comma between them';
        elsif pieces[4] is not null and (
            step not between 1 and high or (pieces[1] is null and pieces[3] is null)
        ) then
            raise sqlstate 'PT400' using message = format(
                '%s: expected a step of 1 to %s after * or a range, was %s', name, high, part
            );
        end if;
        -- No query: one takes longer to begin than the few numbers take to count.
        while first <= last loop
            found := found || first;
            first := first + step;
        end loop;
    end loop;
    if strpos(field, ',') = 0 then
        return found;
    end if;
    return array(select distinct listed.number from unnest(found) as listed (number) order by 1);
end
$_$;

COMMENT ON FUNCTION ops.cron_field(field text, name text, low integer, high integer, words text[]) IS 'Numbers that one field of a cron expression lists, ascending, or PT400 with its name.';

CREATE FUNCTION ops.cron_instants(expression text, after timestamp with time zone, until timestamp with time zone, rows_max integer DEFAULT 2147483647) RETURNS SETOF timestamp with time zone
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- The instants of a cron expression, UTC, after one instant up to and with another, in order, the
-- first `rows_max`; PT400 if it is none.
-- Loops, because a query would take longer to begin than most take to end.
declare
    cron record := ops.parse_cron(expression);
    day timestamp := date_trunc('day', after at time zone 'UTC');
    last_day timestamp := until at time zone 'UTC';
    hour_starts timestamptz;
    instant timestamptz;
    hour integer;
    minute integer;
    is_day boolean;
    is_weekday boolean;
    rows_count integer := 0;
begin
    while day <= last_day loop
        if extract(month from day) <> all(cron.months) then
            day := date_trunc('month', day) + interval '1 month';
            continue;
        end if;
        is_day := extract(day from day) = any(cron.days);
        is_weekday := extract(dow from day) = any(cron.weekdays);
        if (is_day and is_weekday) or (cron.is_either and (is_day or is_weekday)) then
            foreach hour in array cron.hours loop
                hour_starts := (day + make_interval(hours => hour)) at time zone 'UTC';
                exit when hour_starts > until;
                continue when hour_starts + interval '1 hour' <= after;
                foreach minute in array cron.minutes loop
                    instant := hour_starts + make_interval(mins => minute);
                    if instant > after and instant <= until then
                        return next instant;
                        rows_count := rows_count + 1;
                        if rows_count >= rows_max then
                            return;
                        end if;
                    end if;
                end loop;
            end loop;
        end if;
        day := day + interval '1 day';
    end loop;
end
$$;

COMMENT ON FUNCTION ops.cron_instants(expression text, after timestamp with time zone, until timestamp with time zone, rows_max integer) IS 'The instants of a cron expression, UTC, after one instant up to another, in order, or PT400.';

CREATE FUNCTION ops.cron_jobs() RETURNS TABLE(id bigint, name text, schedule text, command text, is_active boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- Return the jobs pg_cron runs in this database; none where it is not installed.
begin
    if to_regclass('cron.job') is null then
        return;
    end if;
    return query
    select
        job.jobid,
        coalesce(job.jobname::text, 'job ' || job.jobid),
        job.schedule::text,
        job.command::text,
        job.active
    from cron.job
    where job.database = current_database();
end
$$;

COMMENT ON FUNCTION ops.cron_jobs() IS 'Jobs of pg_cron in this database; none without pg_cron.';

CREATE FUNCTION ops.cron_matches(expression text, at timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO ''
    AS $$
    -- Whether a cron expression (five fields, UTC) names the minute of an instant; PT400 if it
    -- is none. Many instants at once: ops.cron_instants(expression, after, until).
    select exists (
        select
        from ops.cron_instants(
            expression,
            date_bin(interval '1 minute', at, timestamptz 'epoch') - interval '1 microsecond',
            at
        )
    );
$$;

COMMENT ON FUNCTION ops.cron_matches(expression text, at timestamp with time zone) IS 'Whether a cron expression (UTC) names the minute of an instant, or PT400.';

CREATE FUNCTION ops.cron_started_at() RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return when pg_cron started a job last, by its own records; null where it keeps none.
-- The newest rows by id: the table may hold millions and has no other index.
declare
    started_at timestamptz;
begin
    if to_regclass('cron.job_run_details') is null then
        return null;
    end if;
    execute
        'select max(newest.start_time) from ('
        'select start_time from cron.job_run_details order by runid desc limit 20) as newest'
    into started_at;
    return started_at;
end
$$;

COMMENT ON FUNCTION ops.cron_started_at() IS 'When pg_cron started a job last, by its own records; null where it keeps none.';

CREATE FUNCTION ops.diff(page jsonb DEFAULT NULL::jsonb) RETURNS TABLE(change text, name text, detail text)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- What applying a page would do, and what pg_cron runs that is on no page; empty if nothing.
-- Without a page: the timetable as it was applied last against the jobs of pg_cron.
-- `change`: add, change, remove, or unmanaged (a job on nobody's page; it is left alone).
declare
    current_page jsonb := (
        select jsonb_agg(
            jsonb_build_object(
                'name', timetable.name,
                'timing', timetable.timing,
                'command', timetable.command,
                'description', timetable.description,
                'overlap', timetable.overlap
            )
        )
        from ops.timetable
    );
    wanted_page jsonb := current_page;
begin
    if page is not null then
        select jsonb_agg(to_jsonb(checked))
        into wanted_page
        from ops.check_page(page) as checked;
    end if;
    return query
    with wanted as (
        select item ->> 'name' as name, item as fields
        from jsonb_array_elements(wanted_page) as item
    ),
    known as (
        select item ->> 'name' as name, item as fields
        from jsonb_array_elements(current_page) as item
    ),
    compared as (
        select
            wanted.name,
            known.name is null as is_new,
            (
                select string_agg(
                    format('%s: %s → %s', field.key, known.fields ->> field.key, field.value),
                    '; ' order by field.key
                )
                from jsonb_each_text(wanted.fields) as field
                where field.value <> known.fields ->> field.key
            ) as field_changes,
            case
                when to_regclass('cron.job') is null
                    then 'cron.job: pg_cron is not installed in this database'
                when job.id is null then 'cron.job: missing'
                when (job.schedule, job.command) is distinct from (aim.schedule, aim.command)
                    then format('cron.job: %s %s', job.schedule, job.command)
                when not job.is_active then 'cron.job: switched off'
            end as job_change,
            format(
                '%s: %s', ops.timing_text(wanted.fields ->> 'timing'), wanted.fields ->> 'command'
            ) as words
        from wanted
        left join known on known.name = wanted.name
        left join ops.cron_jobs() as job on job.name = wanted.name
        cross join lateral ops.wanted_job(wanted.name, wanted.fields ->> 'timing') as aim
    )
    select 'add', compared.name, compared.words
    from compared
    where compared.is_new
    union all
    select 'change', compared.name, concat_ws('; ', compared.field_changes, compared.job_change)
    from compared
    where not compared.is_new
        and (compared.field_changes is not null or compared.job_change is not null)
    union all
    select 'remove', known.name, known.fields ->> 'command'
    from known
    where known.name not in (select wanted.name from wanted)
    union all
    select 'unmanaged', job.name, format('%s %s', job.schedule, job.command)
    from ops.cron_jobs() as job
    where job.name not in (select wanted.name from wanted union all select known.name from known)
    order by 1, 2;
end
$$;

COMMENT ON FUNCTION ops.diff(page jsonb) IS 'What applying a page would change, and jobs of pg_cron on no page; without a page: what differs from the page applied last. Empty when all is as it should be.';

CREATE FUNCTION ops.due_closes(cadence text, "interval" text, after timestamp with time zone, until timestamp with time zone) RETURNS SETOF timestamp with time zone
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- The closes of an interval at which a cadence is due, after one instant up to and with another,
-- in order. close: each. every N closes: those whose number since the epoch is a multiple of N.
-- Cron: the first close at or after each instant of the expression.
declare
    length interval := make_interval(secs => ops.interval_s("interval"));
    step interval := case
        when cadence = 'close' then length
        else length * ops.cadence_count(cadence)
    end;
    instant timestamptz;
    closed_at timestamptz;
    previous timestamptz;
begin
    if step is not null then
        return query
        select slot.closed_at
        from generate_series(
            date_bin(step, after, timestamptz 'epoch') + step, until, step
        ) as slot (closed_at);
        return;
    end if;
    for instant in
        select instants
        from ops.cron_instants(
            cadence,
            date_bin(length, after, timestamptz 'epoch'),
            date_bin(length, until, timestamptz 'epoch')
        ) as instants
    loop
        closed_at := date_bin(length, instant - interval '1 microsecond', timestamptz 'epoch')
            + length;
        -- Several instants in one bar are one close.
        if closed_at is distinct from previous then
            return next closed_at;
        end if;
        previous := closed_at;
    end loop;
end
$$;

COMMENT ON FUNCTION ops.due_closes(cadence text, "interval" text, after timestamp with time zone, until timestamp with time zone) IS 'The closes at which a cadence is due, after one instant up to and with another, in order.';

CREATE FUNCTION ops.end_run(run_id bigint, error text, answer jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $_$
    -- Write the end of a run: failed if there is an error. An answer of more than 16,000 bytes is
    -- not kept. A request that it sent is named by a "request_id" anywhere in its answer, as
    -- ops.tick() returns it.
    update ops.schedule_runs
    set
        status = case when end_run.error is null then 'succeeded' else 'failed' end,
        ended_at = clock_timestamp(),
        error = left(end_run.error, 2000),
        answer = case when pg_column_size(end_run.answer) <= 16000 then end_run.answer end,
        request_id = jsonb_path_query_first(
            end_run.answer, '$.**.request_id ? (@.type() == "number")'
        )::bigint
    where schedule_runs.id = end_run.run_id;
$_$;

COMMENT ON FUNCTION ops.end_run(run_id bigint, error text, answer jsonb) IS 'Write the end of a run: succeeded, or failed with the error; and the request it sent.';

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

CREATE FUNCTION ops.even_step(numbers integer[], size integer) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    -- The n of "every n" if the numbers are 0, n, 2n, … up to `size`, which n divides; 1 for all.
    -- Null if they are spread otherwise, or are one number only.
    select step
    from (
        select size / cardinality(numbers) as step
        where cardinality(numbers) > 1 and size % cardinality(numbers) = 0
    ) as tried
    where numbers = array(select generate_series(0, size - 1, tried.step));
$$;

COMMENT ON FUNCTION ops.even_step(numbers integer[], size integer) IS 'Distance of numbers that lie evenly on 0 to size; null if they do not.';

CREATE FUNCTION ops.every_s(timing text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $_$
-- Return N of "every N s", null for anything else. N must divide a minute (PT400): pg_cron starts
-- such a schedule once a minute, and its marks are the same in every minute.
declare
    found_s integer := substring(timing from '^every ([0-9]{1,6}) s$')::integer;
begin
    if found_s is not null and (found_s not between 1 and 59 or 60 % found_s <> 0) then
        raise sqlstate 'PT400' using
            message = format(
                'expected every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s, was every %s s', found_s
            ),
            hint = 'a minute and more: a cron expression, as "* * * * *"';
    end if;
    return found_s;
end
$_$;

COMMENT ON FUNCTION ops.every_s(timing text) IS 'Seconds of a timing "every N s", N dividing 60 (else PT400); null for a cron expression.';

CREATE FUNCTION ops.find_backup_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
    -- A cause if the newest backup is older than backup_overdue_after_days. Only once there is a
    -- first one: a system that is tried out has none, and misses none.
    select
        'backup_overdue',
        'backup',
        'warn',
        format(
            'The newest backup holds %s UTC and is %s days old; one of at most %s is wanted.',
            to_char(newest.made_at, 'YYYY-MM-DD HH24:MI'),
            newest.age_days,
            newest.after_days
        ),
        jsonb_build_object(
            'made_at', newest.made_at,
            'target', newest.target,
            'age_days', newest.age_days,
            'after_days', newest.after_days
        )
    from (
        select
            backups.made_at,
            backups.target,
            floor(extract(epoch from now() - backups.made_at) / 86400) as age_days,
            ops.setting('backup_overdue_after_days')::integer as after_days
        from ops.backups
        order by backups.made_at desc
        limit 1
    ) as newest
    where newest.made_at < now() - make_interval(days => newest.after_days);
$$;

COMMENT ON FUNCTION ops.find_backup_causes() IS 'Causes backup_overdue: the newest backup, if there ever was one, is too old.';

CREATE FUNCTION ops.find_budget_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
    -- One cause for each meter that will use more in a month than is free: a warning while it is
    -- a projection, an error once it has happened.
    select
        'budget_exceeded',
        budget.meter,
        case when judged.is_over then 'error' else 'warn' end,
        -- The name of a meter says its unit.
        format(
            case
                when judged.is_over then '%1$s: %3$s used this month, %2$s are free.'
                else '%1$s: %4$s in a month at this rate, %2$s are free; %3$s used so far.'
            end,
            budget.meter,
            to_char(budget.free_limit, 'FM999,999,999,999,999,990'),
            to_char(judged.used_month, 'FM999,999,999,999,999,990'),
            to_char(budget.projected_month, 'FM999,999,999,999,999,990')
        ),
        jsonb_build_object(
            'unit', budget.unit,
            'used_month', round(judged.used_month),
            'projected_month', round(budget.projected_month),
            'free_limit', budget.free_limit,
            'share', round(budget.share, 3)
        )
    from ops.budget
    cross join lateral (
        select
            -- On the first of a month nothing may have been used.
            coalesce(budget.used_month, 0) as used_month,
            coalesce(budget.used_month > budget.free_limit, false) as is_over,
            -- Of the first day as much as is over: a history that is loaded once, or again after
            -- a restart, is no month's rate. What is left of the day counts as if nothing came.
            least(extract(epoch from now() - budget.since) / 86400, 1) as part_of_day
    ) as judged
    where judged.is_over or budget.share * judged.part_of_day > 1
    order by budget.meter;
$_$;

COMMENT ON FUNCTION ops.find_budget_causes() IS 'Causes budget_exceeded: meters that use, or will use, more in a month than is free.';

CREATE FUNCTION ops.find_cron_causes() RETURNS SETOF ops.cause
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
-- A cause if the schedule watch has been late for most of a minute and pg_cron started no other
-- job either. Never found by the schedule itself, only by those who look in its place; and not at
-- their first look, which after a night switched off may come a moment before cron's.
declare
    state ops.watch_state;
    started_at timestamptz;
begin
    select watch_state.* into state from ops.watch_state;
    if state.late_since is null or state.late_since > now() - interval '50 seconds' then
        return;
    end if;
    started_at := greatest(state.scheduled_at, ops.cron_started_at());
    if started_at > now() - make_interval(secs => ops.setting('cron_silent_after_s')::integer) then
        return;
    end if;
    return next row(
        'cron_silent',
        'pg_cron',
        'error',
        format(
            'pg_cron has started no job since %s UTC; closes are evaluated only as far as the'
            ' collector asks for it.',
            to_char(started_at, 'YYYY-MM-DD HH24:MI:SS')
        ),
        jsonb_build_object('started_at', started_at)
    )::ops.cause;
end
$$;

COMMENT ON FUNCTION ops.find_cron_causes() IS 'Causes cron_silent: pg_cron has started no job for cron_silent_after_s.';

CREATE FUNCTION ops.find_feed_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
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

COMMENT ON FUNCTION ops.find_feed_causes() IS 'Causes feed_stale: intervals with enabled traders whose newest finished close is too old.';

CREATE FUNCTION ops.find_outbox_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- A cause if notifications wait too long (error) or are too many (warn). Only where
    -- outbox_watched is on: without anybody who delivers, the outbox grows by design.
    select
        'outbox_growing',
        'outbox',
        case when waiting.age_s > limits.age_s_max then 'error' else 'warn' end,
        format(
            'Notifications wait to be delivered: %s, the oldest for %s min.',
            waiting.pending_count, floor(waiting.age_s / 60)
        ),
        jsonb_build_object(
            'pending_count', waiting.pending_count, 'oldest_age_s', floor(waiting.age_s)
        )
    from (
        select
            count(*) as pending_count,
            extract(epoch from now() - min(outbox.created_at)) as age_s
        from ops.outbox
        where outbox.status = 'pending' and ops.setting('outbox_watched') = 'on'
    ) as waiting
    cross join (
        select
            ops.setting('outbox_age_s_max')::integer as age_s_max,
            ops.setting('outbox_count_max')::integer as count_max
    ) as limits
    where waiting.age_s > limits.age_s_max or waiting.pending_count > limits.count_max;
$$;

COMMENT ON FUNCTION ops.find_outbox_causes() IS 'Causes outbox_growing: notifications that wait too long, or are too many.';

CREATE FUNCTION ops.find_request_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
    -- A cause if the same request has been the oldest of the queue for requests_silent_after_s.
    -- The limit must exceed the longest time-out (30 s): a request stays in the queue until all
    -- that left with it are answered.
    select
        'requests_silent',
        'pg_net',
        'error',
        format(
            'The request worker has sent nothing since %s UTC; the functions are called by the'
            ' collector only.',
            to_char(watch_state.oldest_request_since, 'YYYY-MM-DD HH24:MI')
        ),
        jsonb_build_object('oldest_since', watch_state.oldest_request_since)
    from ops.watch_state
    where watch_state.oldest_request_since <= now() - make_interval(
        secs => ops.setting('requests_silent_after_s')::integer
    );
$$;

COMMENT ON FUNCTION ops.find_request_causes() IS 'Causes requests_silent: requests that net.http_request_queue does not get rid of.';

CREATE FUNCTION ops.find_schedule_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
    -- One cause for each schedule that failed schedule_fail_streak_max times in a row, unless it
    -- is paused; and one for each that is paused, so that nobody forgets it.
    select
        'schedule_failing',
        schedules.name,
        'error',
        format(
            'The schedule %s has failed %s times in a row.',
            schedules.name, schedules.fail_streak
        ),
        jsonb_build_object(
            'fail_streak', schedules.fail_streak,
            'last_run_at', schedules.last_run_at,
            'last_http_status', schedules.last_http_status
        )
    from ops.schedules
    where schedules.fail_streak >= ops.setting('schedule_fail_streak_max')::integer
        and coalesce(schedules.paused_until < now(), true)
    union all
    select
        'schedule_paused',
        schedules.name,
        'warn',
        format(
            'The schedule %s is paused until %s: %s%s',
            schedules.name,
            case
                when isfinite(schedules.paused_until)
                then to_char(schedules.paused_until, 'YYYY-MM-DD HH24:MI "UTC"')
                else 'it is resumed'
            end,
            schedules.reason,
            case schedules.name
                when 'tick' then ' (closes are evaluated only as far as the collector asks for it)'
                when 'watch' then ' (the dead man is not called)'
            end
        ),
        jsonb_build_object('paused_until', schedules.paused_until, 'reason', schedules.reason)
    from ops.schedules
    where schedules.paused_until > now();
$$;

COMMENT ON FUNCTION ops.find_schedule_causes() IS 'Causes schedule_failing and schedule_paused: failed several times in a row, or paused.';

CREATE FUNCTION ops.find_slot(INOUT run_id bigint DEFAULT NULL::bigint, INOUT venue text DEFAULT NULL::text, INOUT "interval" text DEFAULT NULL::text, INOUT closed_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Complete what is known of a slot: that of a run, or the newest slot of a venue and interval, at
-- a close if there is one. A close that nobody made a run for is a slot, too, as long as venue
-- and interval are given or can only be one. PT404 if there is nothing like that; PT400 if the
-- interval has no such close.
declare
    wanted_run alias for run_id;
    found record;
begin
    if "interval" is not null and ops.interval_s("interval") is null then
        raise sqlstate 'PT400' using
            message = format('expected a kline interval, was %s', "interval"), hint = 'interval';
    end if;
    if closed_at is not null and "interval" is not null
        and not ops.is_close("interval", closed_at)
    then
        raise sqlstate 'PT400' using
            message = format(
                'expected a close of %s, was %s', "interval",
                to_char(closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ),
            hint = 'slot';
    end if;
    select
        runs.id,
        runs.venue,
        runs."interval",
        runs.closed_at
    into found
    from ops.runs
    where (wanted_run is null or runs.id = wanted_run)
        and (find_slot.venue is null or runs.venue = find_slot.venue)
        and (find_slot."interval" is null or runs."interval" = find_slot."interval")
        and (find_slot.closed_at is null or runs.closed_at = find_slot.closed_at)
    order by
        runs.closed_at desc,
        -- Of slots that closed together the shortest: it is looked at most.
        ops.interval_s(runs."interval"),
        runs.id
    limit 1;
    if found.id is not null then
        run_id := found.id;
        venue := found.venue;
        "interval" := found."interval";
        closed_at := found.closed_at;
        return;
    end if;
    if wanted_run is not null or closed_at is null or "interval" is null then
        raise sqlstate 'PT404' using
            message = format(
                'expected %s, found none',
                coalesce('run ' || wanted_run, nullif(concat_ws(
                    ' ', 'a slot with a run of', venue, "interval",
                    to_char(closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                ), 'a slot with a run of'), 'a run')
            ),
            hint = '`closebell runs list` shows those there are';
    end if;
    venue := coalesce(venue, 'binance');
end
$$;

COMMENT ON FUNCTION ops.find_slot(INOUT run_id bigint, INOUT venue text, INOUT "interval" text, INOUT closed_at timestamp with time zone) IS 'The slot of a run, or the newest that is like what is given.';

CREATE FUNCTION ops.find_slot_causes() RETURNS SETOF ops.cause
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    AS $$
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

COMMENT ON FUNCTION ops.find_slot_causes() IS 'Causes slot_missing: closes that are missing or unfinished, per venue and interval.';

CREATE FUNCTION ops.finish_restore(manifest jsonb, kept jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- The last act of a restore, in its transaction: every table must be what the manifest says, or
-- PT409 and nothing has happened. Then what must not go back in time: newer users, addresses, the
-- revision that functions compare, and ids, which are never given twice.
declare
    wrong text;
begin
    select string_agg(coalesce(given.key, listed.name), ', ' order by given.key, listed.name)
    into wrong
    from jsonb_each(manifest -> 'tables') as given
    full join (
        select tables.name
        from ops.list_backup_tables() as tables
        where tables.excluded_because is null
    ) as listed on listed.name = given.key
    where given.key is null
        or listed.name is null
        or ops.table_checksum(listed.name) is distinct from given.value;
    if wrong is not null then
        raise sqlstate 'PT409' using
            message = 'expected the counts and checksums of the manifest, other rows are in '
                || wrong,
            hint = 'nothing was changed; take another backup file';
    end if;
    if exists (
        select
        from public.profiles
        where not exists (select from auth.users where users.id = profiles.user_id)
    ) then
        raise sqlstate 'PT409' using
            message = 'expected a user in auth.users for each profile, some are missing',
            hint = 'nothing was changed; take another backup file';
    end if;
    -- Who has signed up since the backup was made is a user without a profile.
    insert into public.profiles (user_id, tier_id)
    select users.id, ops.setting('default_tier')
    from auth.users
    on conflict (user_id) do nothing;
    update ops.settings
    set value = kept -> 'addresses' ->> settings.name
    where kept -> 'addresses' ? settings.name;
    update ops.traders_revision
    set
        revision = greatest(
            traders_revision.revision, coalesce((kept ->> 'traders_revision')::bigint, 0)
        ) + 1,
        changed_at = now();
    -- A sequence does not take part in the transaction: it is only ever raised.
    perform setval(
        format('%I.%I', schemaname, sequencename)::regclass,
        greatest(
            last_value,
            (manifest -> 'sequences' ->> format('%I.%I', schemaname, sequencename))::bigint
        )
    )
    from pg_catalog.pg_sequences
    where manifest -> 'sequences' ? format('%I.%I', schemaname, sequencename);
end
$$;

COMMENT ON FUNCTION ops.finish_restore(manifest jsonb, kept jsonb) IS 'Compare every restored table with the manifest, or PT409; then set what never goes back.';

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
    is_retimed boolean := false;
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
    is_retimed := (new.venue, new."interval", new.cadence)
        is distinct from (old.venue, old."interval", old.cadence);
    is_changed := is_retimed
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
    -- Closes of another interval or cadence were never owed: without this a tick would catch up on
    -- them.
    if (is_started or (is_retimed and new.enabled))
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

CREATE FUNCTION ops.has_due_trader(venue text, "interval" text, closed_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Whether any enabled trader is due at a close: without one, the slot is not made.
    -- Each distinct cadence is asked once, 'close' (the usual one) before all others.
    select exists (
        select
        from public.traders
        where traders.venue = has_due_trader.venue
            and traders."interval" = has_due_trader."interval"
            and traders.cadence = 'close'
            and traders.enabled
    ) or exists (
        select
        from ops.cadences
        where cadences.venue = has_due_trader.venue
            and cadences."interval" = has_due_trader."interval"
            and ops.is_due(cadences.cadence, cadences."interval", has_due_trader.closed_at)
    );
$$;

COMMENT ON FUNCTION ops.has_due_trader(venue text, "interval" text, closed_at timestamp with time zone) IS 'Whether any enabled trader of a venue and interval is due at a close.';

CREATE FUNCTION ops.history(name text DEFAULT NULL::text, row_limit integer DEFAULT 50) RETURNS TABLE(started_at timestamp with time zone, schedule text, status text, took_ms double precision, error text, by_hand boolean, request_id bigint, http_status integer, http_error text)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- Return the newest runs of a schedule, or of all, newest first; PT404 for a name that neither is
-- a schedule nor has a history.
begin
    if (row_limit between 1 and 10000) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected 1 to 10,000 rows, was %s', coalesce(row_limit::text, 'null')
            );
    end if;
    if name is not null
        and not exists (select from ops.timetable where timetable.name = history.name)
        and not exists (select from ops.schedule_runs as runs where runs.schedule = history.name)
    then
        perform ops.refuse_unknown_schedule(name);
    end if;
    return query
    select
        newest.started_at,
        newest.schedule,
        case
            when newest.status = 'running' and not ops.is_alive(newest.pid, newest.started_at)
                then 'failed'
            else newest.status
        end,
        (extract(epoch from newest.ended_at - newest.started_at) * 1000)::double precision,
        newest.error,
        newest.by_hand,
        newest.request_id,
        coalesce(newest.http_status, answer.http_status),
        coalesce(newest.http_error, answer.http_error)
    from (
        (
            select runs.*
            from ops.schedule_runs as runs
            where runs.schedule = history.name
            order by runs.started_at desc
            limit row_limit
        )
        union all
        (
            select runs.*
            from ops.schedule_runs as runs
            where history.name is null
            order by runs.id desc
            limit row_limit
        )
    ) as newest
    left join lateral ops.http_answer(newest.request_id) as answer
        on newest.http_status is null and newest.http_error is null
    order by newest.started_at desc, newest.id desc;
end
$$;

COMMENT ON FUNCTION ops.history(name text, row_limit integer) IS 'The newest runs of a schedule, or of all: when, how it ended, ms, what was answered.';

CREATE FUNCTION ops.http_answer(request_id bigint, OUT http_status integer, OUT http_error text, OUT function_ms double precision) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
-- Return what pg_net heard of a request; nulls if it has not (yet), or has forgotten: answers are
-- kept for some hours only.
begin
    if request_id is null or to_regclass('net._http_response') is null then
        return;
    end if;
    select
        response.status_code,
        left(
            case
                when response.timed_out then 'no answer in time'
                when response.status_code is null then coalesce(response.error_msg, 'no answer')
            end, 500
        ),
        -- The end of a function's own answer; an answer of somebody else has none.
        substring(
            response.content from '"ms":([0-9]{1,7}(?:\.[0-9]{1,6})?)}$'
        )::double precision
    into http_status, http_error, function_ms
    from net._http_response as response
    where response.id = request_id
    order by response.created desc
    limit 1;
end
$_$;

COMMENT ON FUNCTION ops.http_answer(request_id bigint, OUT http_status integer, OUT http_error text, OUT function_ms double precision) IS 'HTTP status of the answer to a request of pg_net and the ms it tells, or why there is none.';

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

CREATE FUNCTION ops.is_alive(pid integer, started_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    -- Whether the statement that began a run is still going on: the same process, which has
    -- neither become idle nor begun another statement since (pooled connections live on).
    select exists (
        select
        from pg_catalog.pg_stat_activity as activity
        where activity.pid = is_alive.pid
            and coalesce(activity.backend_start, '-infinity') <= is_alive.started_at
            and coalesce(activity.query_start, '-infinity') <= is_alive.started_at
            and coalesce(activity.state, 'active') not like 'idle%'
    );
$$;

COMMENT ON FUNCTION ops.is_alive(pid integer, started_at timestamp with time zone) IS 'Whether the process that began a run at an instant is still at it.';

CREATE FUNCTION ops.is_cadence(cadence text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- A date that never comes is none: 29 February is a given weekday at least once in 40 years.
begin
    return cadence = 'close'
        or ops.cadence_count(cadence) is not null
        or (
            length(cadence) <= 100
            and exists (select from ops.cron_instants(cadence, 'epoch', '2011-01-01Z', 1))
        );
exception
    when sqlstate 'PT400' then
        return false;
end
$$;

COMMENT ON FUNCTION ops.is_cadence(cadence text) IS 'Whether a text is a cadence: close, every N closes (2 to 1,000), or a cron expression.';

CREATE FUNCTION ops.is_due(cadence text, "interval" text, closed_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- Whether a cadence is due at a close of an interval; see ops.due_closes.
begin
    return cadence = 'close' or exists (
        select
        from ops.due_closes(
            cadence,
            "interval",
            closed_at - make_interval(secs => ops.interval_s("interval")),
            closed_at
        )
    );
end
$$;

COMMENT ON FUNCTION ops.is_due(cadence text, "interval" text, closed_at timestamp with time zone) IS 'Whether a cadence is due at a close of an interval.';

CREATE FUNCTION ops.is_operator() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Whether the signed-in user of this request is an operator; false without a user.
    select coalesce(
        (
            select profiles.is_admin
            from public.profiles
            where profiles.user_id = (select auth.uid())
        ),
        false
    );
$$;

COMMENT ON FUNCTION ops.is_operator() IS 'Whether the user of this request is an operator (profiles.is_admin).';

CREATE FUNCTION ops.keep_http_answers(schedule text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    -- Copy what pg_net heard of the last requests of a schedule into its history, before pg_net
    -- forgets it. Called at the start of each run: a handful of rows.
    update ops.schedule_runs
    set
        http_status = answered.http_status,
        http_error = answered.http_error,
        function_ms = answered.function_ms
    from (
        select latest.id, answer.http_status, answer.http_error, answer.function_ms
        from (
            select runs.id, runs.request_id, runs.http_status, runs.http_error
            from ops.schedule_runs as runs
            where runs.schedule = keep_http_answers.schedule and runs.request_id is not null
            order by runs.started_at desc
            limit 10
        ) as latest
        cross join lateral ops.http_answer(latest.request_id) as answer
        where latest.http_status is null
            and latest.http_error is null
            and (answer.http_status is not null or answer.http_error is not null)
    ) as answered
    where schedule_runs.id = answered.id;
$$;

COMMENT ON FUNCTION ops.keep_http_answers(schedule text) IS 'Copy the answers to the last ten requests of a schedule into its history.';

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
        (trader_id, version, name, rule, venue, universe, "interval", trigger, cooldown_s, cadence)
    values
        (new.id, new.version, new.name, new.rule, new.venue, new.universe, new."interval",
            new.trigger, new.cooldown_s, new.cadence);
    return null;
end
$$;

COMMENT ON FUNCTION ops.keep_trader_version() IS 'Trigger after a trader is written: its history in trader_versions.';

CREATE FUNCTION ops.line_bytes(fields jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
    -- What a line takes on disk: its fields, and 250 bytes for the other columns, the row's header
    -- and its entries in the indexes (measured; tests/sql/log_caps.sql compares).
    select pg_column_size(fields) + 250;
$$;

COMMENT ON FUNCTION ops.line_bytes(fields jsonb) IS 'Bytes a log line with these fields takes on disk.';

CREATE FUNCTION ops.list_backup_tables() RETURNS TABLE(name text, excluded_because text, is_kept boolean)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
-- Every table of ours: in a backup with all its rows, unless it is excluded below with a reason.
-- A table that a later migration adds is in the backup without a word here.
-- is_kept: a restore leaves the rows that are there; other tables are emptied first.
select
    format('%I.%I', spaces.nspname, tables.relname) as name,
    excluded.reason as excluded_because,
    coalesce(excluded.is_kept, false) as is_kept
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_namespace as spaces on spaces.oid = tables.relnamespace
left join (
    values
        ('ops', 'local_secrets', true, 'a secret never leaves its database'),
        ('ops', 'function_logs', true, 'log lines are kept for days only; nothing stands on them'),
        ('ops', 'schedule_runs', true, 'history of schedules, kept for days only'),
        ('ops', 'backups', true, 'tells which backups this system has made'),
        ('ops', 'outbox', false, 'a restored system would send old notifications once more')
) as excluded (space, "table", is_kept, reason)
    on excluded.space = spaces.nspname and excluded."table" = tables.relname
where spaces.nspname in ('public', 'ops', 'trading')
    and tables.relkind in ('r', 'p')
    and not tables.relispartition
    -- What an extension keeps in our schemas is the extension's.
    and not exists (
        select
        from pg_catalog.pg_depend as owners
        where owners.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and owners.objid = tables.oid
            and owners.deptype = 'e'
    )
order by 1
$$;

COMMENT ON FUNCTION ops.list_backup_tables() IS 'Every table of ours: null, or why it is not in a backup; whether a restore keeps its rows.';

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

CREATE FUNCTION ops.list_due_cadences(venue text, "interval" text, closed_at timestamp with time zone) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- The cadences of enabled traders, other than close, that are due at a close, as an object:
    -- {cadence: before_bars}, bars back to the previous due close (1 to 500, ops.before_bars).
    -- Who is due is a property of the close and not of the list of traders, so that a list may be
    -- kept from close to close: claim_run hands out both.
    select coalesce(
        jsonb_object_agg(
            cadences.cadence,
            ops.before_bars(cadences.cadence, cadences."interval", list_due_cadences.closed_at)
        ),
        '{}'
    )
    from ops.cadences
    where cadences.venue = list_due_cadences.venue
        and cadences."interval" = list_due_cadences."interval"
        and cadences.cadence <> 'close'
        and ops.is_due(cadences.cadence, cadences."interval", list_due_cadences.closed_at);
$$;

COMMENT ON FUNCTION ops.list_due_cadences(venue text, "interval" text, closed_at timestamp with time zone) IS 'Cadences other than close that are due at a close: {cadence: bars back to the one before}.';

CREATE FUNCTION ops.list_log_days() RETURNS TABLE(day date, lines_count bigint, bytes_count bigint, sampled_count bigint, dropped_count bigint, share double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- What was logged each day, newest first, and what was left out; `share` of what a day may
    -- have, by lines or by bytes, whichever is more.
    select
        log_days.day,
        sum(log_days.lines_count),
        sum(log_days.bytes_count)::bigint,
        sum(log_days.sampled_count),
        sum(log_days.dropped_count),
        greatest(
            sum(log_days.lines_count)::float8 / ops.setting('log_rows_per_day_max')::integer,
            sum(log_days.bytes_count)::float8
            / (ops.setting('log_megabytes_per_day_max')::integer * 1000000.0)
        )
    from ops.log_days
    group by log_days.day
    order by log_days.day desc;
$$;

COMMENT ON FUNCTION ops.list_log_days() IS 'Each day''s log lines, their bytes, what was left out, and the share of the day''s room.';

CREATE FUNCTION ops.list_log_sources() RETURNS TABLE(source text, lines_count bigint, problems_count bigint, last_at timestamp with time zone, last_problem_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- The sources that are known, and whoever else is in the table; with the warnings and errors
    -- among their lines.
    select
        coalesce(known.source, found.source),
        coalesce(found.lines_count, 0),
        coalesce(found.problems_count, 0),
        found.last_at,
        found.last_problem_at
    from unnest(ops.log_sources()) with ordinality as known (source, place)
    full join (
        select
            log_lines.source,
            count(*) as lines_count,
            count(*) filter (where log_lines.level in ('warn', 'error')) as problems_count,
            max(log_lines.logged_at) as last_at,
            max(log_lines.logged_at) filter (where log_lines.level in ('warn', 'error'))
                as last_problem_at
        from ops.log_lines
        group by log_lines.source
    ) as found on found.source = known.source
    order by known.place, found.source;
$$;

COMMENT ON FUNCTION ops.list_log_sources() IS 'Every source of log lines with its count of lines and of warnings and errors.';

CREATE FUNCTION ops.list_numbers(numbers integer[], words text[] DEFAULT NULL::text[]) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    -- Ascending numbers as people list them: "1, 3 and 9 to 17". `words`: what number 0, 1, …
    -- is called. Three neighbours or more are a range.
    with islands as (
        select
            min(numbered.number) as first,
            max(numbered.number) as last
        from (
            select
                number,
                number - row_number() over (order by number) as island
            from unnest(numbers) as number
        ) as numbered
        group by numbered.island
    ),
    named as (
        select
            item.place,
            case
                when islands.last - islands.first >= 2 then format(
                    '%s to %s',
                    coalesce(words[islands.first + 1], islands.first::text),
                    coalesce(words[islands.last + 1], islands.last::text)
                )
                else coalesce(words[item.place + 1], item.place::text)
            end as label
        from islands
        cross join lateral generate_series(
            islands.first,
            islands.last,
            -- One item for a range, one each for one or two numbers.
            case when islands.last - islands.first >= 2 then 61 else 1 end
        ) as item (place)
    ),
    listed as (
        select array_agg(named.label order by named.place) as labels
        from named
    )
    select case
        when cardinality(listed.labels) > 1 then
            array_to_string(listed.labels[: cardinality(listed.labels) - 1], ', ')
            || ' and ' || listed.labels[cardinality(listed.labels)]
        else listed.labels[1]
    end
    from listed;
$$;

COMMENT ON FUNCTION ops.list_numbers(numbers integer[], words text[]) IS 'Numbers, or their words, as people list them: "1, 3 and 9 to 17".';

CREATE FUNCTION ops.list_schedules() RETURNS TABLE(name text, timing text, timing_text text, time_zone text, next_runs timestamp with time zone[], last_run_at timestamp with time zone, last_status text, last_http_status integer, average_ms double precision, fail_streak integer, paused_until timestamp with time zone, reason text, command text, description text, overlap text, last_error text)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- The rows of the view ops.schedules. Each schedule costs a few steps of an index, however long
-- its history is: nothing here looks at more than its last hundred runs.
begin
    return query
    select
        timetable.name,
        timetable.timing,
        ops.timing_text(timetable.timing),
        'UTC',
        ops.next_runs(timetable.timing, greatest(now(), timetable.paused_until), 3),
        newest.started_at,
        newest.status,
        asked.http_status,
        lately.average_ms,
        lately.fail_streak::integer,
        pause.paused_until,
        case when pause.paused_until is not null then timetable.pause_reason end,
        timetable.command,
        timetable.description,
        timetable.overlap,
        newest.error
    from ops.timetable
    cross join lateral (
        select case when timetable.paused_until > now() then timetable.paused_until end
    ) as pause (paused_until)
    left join lateral (
        select
            runs.started_at,
            case when dead.is_dead then 'failed' else runs.status end as status,
            case when dead.is_dead then 'its process is gone' else runs.error end as error
        from (
            select latest.*
            from ops.schedule_runs as latest
            where latest.schedule = timetable.name
            order by latest.started_at desc
            limit 1
        ) as runs
        cross join lateral (
            select runs.status = 'running' and not ops.is_alive(runs.pid, runs.started_at)
        ) as dead (is_dead)
    ) as newest on true
    left join lateral (
        select
            avg(judged.took_ms) filter (where judged.status = 'succeeded') as average_ms,
            count(*) filter (where judged.status = 'failed' and not judged.has_newer_success)
                as fail_streak
        from (
            select
                runs.status,
                (extract(epoch from runs.ended_at - runs.started_at) * 1000)::double precision
                    as took_ms,
                bool_or(runs.status = 'succeeded') over (order by runs.started_at desc)
                    as has_newer_success
            from (
                select latest.status, latest.started_at, latest.ended_at
                from ops.schedule_runs as latest
                where latest.schedule = timetable.name and latest.status <> 'skipped'
                order by latest.started_at desc
                limit 100
            ) as runs
        ) as judged
    ) as lately on true
    left join lateral (
        select coalesce(runs.http_status, answer.http_status) as http_status
        from ops.schedule_runs as runs
        left join lateral ops.http_answer(runs.request_id) as answer on runs.http_status is null
        where runs.schedule = timetable.name and runs.request_id is not null
        order by runs.started_at desc
        limit 1
    ) as asked on true
    order by timetable.name;
end
$$;

COMMENT ON FUNCTION ops.list_schedules() IS 'Every schedule with its next and last run.';

CREATE VIEW ops.slots WITH (security_invoker='true') AS
 SELECT runs.venue,
    runs."interval",
    runs.closed_at,
        CASE
            WHEN bool_or((runs.status = 'failed'::text)) THEN 'failed'::text
            WHEN bool_or((runs.status = 'open'::text)) THEN 'open'::text
            WHEN bool_or((runs.status = 'claimed'::text)) THEN 'claimed'::text
            WHEN bool_and(runs.complete) THEN 'finished'::text
            ELSE 'incomplete'::text
        END AS status,
    (count(*))::integer AS runs_count,
    (count(*) FILTER (WHERE (runs.status = 'finished'::text)))::integer AS finished_count,
    (sum(runs.traders_count))::integer AS traders_count,
    (sum(runs.signals_count))::integer AS signals_count,
    max(cardinality(runs.missing_instruments)) AS missing_count,
    max(runs.attempt) AS attempt,
    min(runs.origin) AS origin,
    max(runs.finished_at) AS finished_at,
    min(runs.id) AS first_run_id,
    max(runs.error) AS error
   FROM ops.runs
  WHERE (runs.trader_id IS NULL)
  GROUP BY runs.venue, runs."interval", runs.closed_at;

COMMENT ON VIEW ops.slots IS 'The shards of each slot as one row; runs of one trader (by hand, after a save) are left out.';

COMMENT ON COLUMN ops.slots.venue IS 'Venue id.';

COMMENT ON COLUMN ops.slots."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.slots.closed_at IS 'The slot, UTC.';

COMMENT ON COLUMN ops.slots.status IS 'failed, open or claimed if any shard is; finished; incomplete: instruments are missing.';

COMMENT ON COLUMN ops.slots.runs_count IS 'Shards, count.';

COMMENT ON COLUMN ops.slots.finished_count IS 'Shards that are finished, count.';

COMMENT ON COLUMN ops.slots.traders_count IS 'Traders evaluated, count; null: none yet.';

COMMENT ON COLUMN ops.slots.signals_count IS 'Signals stored, count.';

COMMENT ON COLUMN ops.slots.missing_count IS 'Instruments still missing, count.';

COMMENT ON COLUMN ops.slots.attempt IS 'Claims of the shard that took most, count.';

COMMENT ON COLUMN ops.slots.origin IS 'backfill if any shard was opened late, else live.';

COMMENT ON COLUMN ops.slots.finished_at IS 'When signals were stored last, UTC; null: not yet.';

COMMENT ON COLUMN ops.slots.first_run_id IS 'The smallest run id.';

COMMENT ON COLUMN ops.slots.error IS 'Text of a failed attempt; null: none.';

CREATE FUNCTION ops.list_slots("interval" text, since timestamp with time zone, only_unwell boolean, slots_max integer) RETURNS SETOF ops.slots
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Newest slots first. Unwell: not finished, made late, or finished more than 90 s after.
    select slots.*
    from ops.slots
    where (list_slots."interval" is null or slots."interval" = list_slots."interval")
        and slots.closed_at >= since
        and (
            not only_unwell
            or slots.status <> 'finished'
            or slots.origin <> 'live'
            or slots.finished_at > slots.closed_at + interval '90 seconds'
        )
    order by slots.closed_at desc, ops.interval_s(slots."interval")
    limit slots_max;
$$;

COMMENT ON FUNCTION ops.list_slots("interval" text, since timestamp with time zone, only_unwell boolean, slots_max integer) IS 'Slots of an interval (null: all) since a time, newest first; or only those that were unwell.';

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
                'cadence', traders.cadence,
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

CREATE FUNCTION ops.list_usage(reports jsonb) RETURNS TABLE(reporter text, meter text, total numeric)
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    select
        item ->> 'reporter',
        entry.key,
        (entry.value #>> '{}')::numeric
    from jsonb_array_elements(reports) as item
    cross join lateral jsonb_each(item -> 'totals') as entry;
$$;

COMMENT ON FUNCTION ops.list_usage(reports jsonb) IS 'The reports of add_usage as rows: reporter, meter, amount since the start of the process.';

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

CREATE FUNCTION ops.lock_open_incident(id bigint, note text) RETURNS ops.incidents
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return an open incident, locked, for somebody who has a note for it; or refuse: PT404 there is
-- none, PT409 it is closed, PT400 the note is too long.
declare
    incident ops.incidents;
begin
    if length(note) > 500 then
        raise sqlstate 'PT400' using
            message = format('expected a note of at most 500 characters, was %s', length(note)),
            hint = 'note';
    end if;
    select incidents.*
    into incident
    from ops.incidents
    where incidents.id = lock_open_incident.id
    for update;
    if incident.id is null then
        raise sqlstate 'PT404' using
            message = format('expected an incident %s, found none', lock_open_incident.id),
            hint = 'closebell incidents list --all';
    end if;
    if incident.closed_at is not null then
        raise sqlstate 'PT409' using
            message = format(
                'expected incident %s to be open, was closed by %s at %s UTC',
                incident.id, incident.closed_by,
                to_char(incident.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
            ),
            hint = 'nothing is left to do';
    end if;
    return incident;
end
$$;

COMMENT ON FUNCTION ops.lock_open_incident(id bigint, note text) IS 'An open incident, locked; PT404 if there is none, PT409 if it is closed.';

CREATE TABLE ops.timetable (
    name text NOT NULL,
    timing text NOT NULL,
    command text NOT NULL,
    description text NOT NULL,
    overlap text DEFAULT 'skip'::text NOT NULL,
    paused_until timestamp with time zone,
    pause_reason text,
    CONSTRAINT timetable_command_is_bounded CHECK (((length(command) >= 1) AND (length(command) <= 1000))),
    CONSTRAINT timetable_description_is_bounded CHECK ((length(description) <= 1000)),
    CONSTRAINT timetable_name_is_a_word CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT timetable_overlap_is_known CHECK ((overlap = ANY (ARRAY['skip'::text, 'queue'::text]))),
    CONSTRAINT timetable_pause_has_a_reason CHECK (((paused_until IS NULL) = (pause_reason IS NULL))),
    CONSTRAINT timetable_pause_reason_is_1_to_500_characters CHECK (((length(pause_reason) >= 1) AND (length(pause_reason) <= 500))),
    CONSTRAINT timetable_timing_is_cron_or_seconds CHECK (((timing ~ '^[^ ]+( [^ ]+){4}$'::text) OR (timing ~ '^every [0-9]+ s$'::text)))
);

COMMENT ON TABLE ops.timetable IS 'The page sql/schedules.sql as rows, and who is paused; change it by ops.apply, ops.pause, ops.resume. Read it as ops.schedules.';

COMMENT ON COLUMN ops.timetable.name IS 'Name of the schedule, and of its job in cron.job.';

COMMENT ON COLUMN ops.timetable.timing IS 'When it runs, UTC: a cron expression of five fields, or "every N s".';

COMMENT ON COLUMN ops.timetable.command IS 'SQL that a run executes: one select or call.';

COMMENT ON COLUMN ops.timetable.description IS 'Why the job exists.';

COMMENT ON COLUMN ops.timetable.overlap IS 'What a run does that is due while the one before is under way: skip, or queue (wait).';

COMMENT ON COLUMN ops.timetable.paused_until IS 'Runs before this instant are skipped, UTC; null: not paused. In the past: a pause that ended.';

COMMENT ON COLUMN ops.timetable.pause_reason IS 'Why it is paused; null: not paused.';

CREATE FUNCTION ops.lock_schedule(name text) RETURNS ops.timetable
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- Return a schedule, locked until the transaction ends, or refuse the name (PT404).
declare
    found_schedule ops.timetable;
begin
    select timetable.*
    into found_schedule
    from ops.timetable
    where timetable.name = lock_schedule.name
    for no key update;
    if not found then
        perform ops.refuse_unknown_schedule(name);
    end if;
    return found_schedule;
end
$$;

COMMENT ON FUNCTION ops.lock_schedule(name text) IS 'A schedule, locked; PT404 for an unknown name.';

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

CREATE FUNCTION ops.log_position(recent_max integer DEFAULT 0, OUT seen_before bigint, OUT next_transaction bigint, OUT newest_line bigint, OUT newest_error bigint, OUT recent_lines bigint[], OUT recent_errors bigint[]) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Where a reader of the log is. Ids are given before their transactions end, so lines appear
    -- out of order: every line up to `newest_*` is there for good once a later position's
    -- seen_before (all transactions before it have ended) has reached this one's next_transaction.
    -- recent_*: the newest ids, at most recent_max each, for a reader that begins.
    select
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
        coalesce((select max(function_logs.id) from ops.function_logs), 0),
        coalesce((select max(run_errors.id) from ops.run_errors), 0),
        array(
            select function_logs.id
            from ops.function_logs
            order by function_logs.id desc
            limit recent_max
        ),
        array(
            select run_errors.id
            from ops.run_errors
            order by run_errors.id desc
            limit recent_max
        );
$$;

COMMENT ON FUNCTION ops.log_position(recent_max integer, OUT seen_before bigint, OUT next_transaction bigint, OUT newest_line bigint, OUT newest_error bigint, OUT recent_lines bigint[], OUT recent_errors bigint[]) IS 'Newest ids of the log and the transactions that may still add older ones, in one snapshot.';

CREATE FUNCTION ops.log_room(OUT lines_count bigint, OUT bytes_count bigint, OUT lines_max integer, OUT bytes_max bigint) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- What today's lines take, and what they may.
    select
        coalesce(sum(log_days.lines_count), 0)::bigint,
        coalesce(sum(log_days.bytes_count), 0)::bigint,
        ops.setting('log_rows_per_day_max')::integer,
        ops.setting('log_megabytes_per_day_max')::bigint * 1000000
    from ops.log_days
    where log_days.day = (clock_timestamp() at time zone 'UTC')::date;
$$;

COMMENT ON FUNCTION ops.log_room(OUT lines_count bigint, OUT bytes_count bigint, OUT lines_max integer, OUT bytes_max bigint) IS 'Log lines of today and their bytes, and how many of each there may be.';

CREATE FUNCTION ops.log_schedule_failure() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- A scheduled run that failed is a line of the log, too, in the transaction that says so.
declare
    room record := ops.log_room();
begin
    if room.lines_count >= room.lines_max or room.bytes_count >= room.bytes_max then
        perform ops.note_full_day(1);
        return null;
    end if;
    insert into ops.function_logs (source, level, event, fields)
    values (
        'schedules', 'error', 'schedule_failed',
        jsonb_strip_nulls(jsonb_build_object(
            'schedule', new.schedule,
            'started_at', new.started_at,
            'error', left(new.error, 2000),
            'request_id', new.request_id,
            'http_status', new.http_status
        ))
    );
    return null;
end
$$;

COMMENT ON FUNCTION ops.log_schedule_failure() IS 'Trigger on ops.schedule_runs: one line for each run that failed.';

CREATE FUNCTION ops.log_sources() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
    -- Whoever writes lines: the functions by name (a test compares with those there are),
    -- functions for what belongs to none, collector, schedules, postgres.
    select array[
        'collector', 'trigger_executions', 'execute_traders', 'save_trader', 'preview_rule',
        'explain_rule', 'backtest_rule', 'write_logs', 'metrics', 'functions', 'schedules', 'postgres'
    ];
$$;

COMMENT ON FUNCTION ops.log_sources() IS 'The sources of log lines that are known by name.';

CREATE FUNCTION ops.next_runs(timing text, after timestamp with time zone DEFAULT now(), runs_count integer DEFAULT 3) RETURNS timestamp with time zone[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
-- Return the next runs after an instant, ascending; fewer where no more come within 41 years
-- (29 February is a given weekday at least once in 40). An impossible timing is refused (PT400).
declare
    step_s integer := ops.every_s(timing);
begin
    if not isfinite(after) then
        return array[]::timestamptz[];
    elsif step_s is null then
        return array(
            select ops.cron_instants(
                timing, after, after + make_interval(hours => 41 * 366 * 24), runs_count
            )
        );
    end if;
    return array(
        select date_bin(make_interval(secs => step_s), after, timestamptz 'epoch')
            + make_interval(secs => step_s * place)
        from generate_series(1, runs_count) as place
    );
end
$$;

COMMENT ON FUNCTION ops.next_runs(timing text, after timestamp with time zone, runs_count integer) IS 'The next runs of a timing (cron expression, UTC, or "every N s") after an instant, or PT400.';

CREATE FUNCTION ops.note_full_day(dropped integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Count lines that were left out because the day is full, and say so in the log once a day; the
-- count goes on in ops.log_days and is shown by `closebell logs`.
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
    room record := ops.log_room();
begin
    perform ops.count_lines(dropped => dropped);
    insert into ops.function_logs (source, level, event, fields, line_key)
    values (
        'postgres', 'warn', 'log_day_filled',
        jsonb_build_object(
            'day', today,
            'lines', room.lines_count,
            'lines_max', room.lines_max,
            'bytes', room.bytes_count,
            'bytes_max', room.bytes_max
        ),
        md5('log_day_filled ' || today)::uuid
    )
    on conflict (line_key) where line_key is not null do nothing;
end
$$;

COMMENT ON FUNCTION ops.note_full_day(dropped integer) IS 'Count lines dropped because the day is full; the first time a day, a line says so.';

CREATE FUNCTION ops.note_lines() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Once a statement, however many lines it stores: count them, and wake those who follow.
declare
    stored integer;
    bytes bigint;
begin
    select
        count(*),
        sum(ops.line_bytes(new_lines.fields))
    into stored, bytes
    from new_lines;
    if stored > 0 then
        perform ops.count_lines(stored => stored, bytes => bytes);
        perform pg_notify('closebell_logs', '');
    end if;
    return null;
end
$$;

COMMENT ON FUNCTION ops.note_lines() IS 'Trigger after lines are stored: count them for the day''s cap, wake `closebell logs -f`.';

CREATE FUNCTION ops.note_look(is_scheduled boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Remember that somebody looks now, and which request is the oldest that waits: the queue of pg_net
-- keeps no times, so its age is the time since it was first seen there.
declare
    oldest_id bigint;
begin
    if to_regclass('net.http_request_queue') is not null then
        execute 'select min(id) from net.http_request_queue' into oldest_id;
    end if;
    update ops.watch_state
    set
        watched_at = now(),
        scheduled_at = case when is_scheduled then now() else watch_state.scheduled_at end,
        late_since = case when is_scheduled then null else watch_state.late_since end,
        oldest_request_id = oldest_id,
        oldest_request_since = case
            when oldest_id is null then null
            when oldest_id = watch_state.oldest_request_id then watch_state.oldest_request_since
            else now()
        end;
end
$$;

COMMENT ON FUNCTION ops.note_look(is_scheduled boolean) IS 'Remember a look of ops.watch, and the oldest waiting request, in ops.watch_state.';

CREATE FUNCTION ops.open_due_slots(at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Make the slots that are owed by now and have no run: the newest, and those that missed ticks
-- left behind. Returns how many runs were made.
-- Looked for by their absence, not counted on from the last one: a gap behind a newer slot is
-- found too. Bounded by catch_up_slots_max, by what retention keeps, and by the earliest
-- enabled_at (before it nobody was owed anything).
-- Costs by distinct cadence, not by trader; a cadence is not asked about closes that a trader of
-- each close is owed anyway; an interval without a new slot needs no lock and no count.
declare
    slots record;
    opened_count integer := 0;
    slots_max integer := ops.setting('catch_up_slots_max')::integer;
    kept_since timestamptz := at - make_interval(
        days => ops.setting('log_retention_days')::integer - 1
    );
begin
    for slots in
        select
            owed.venue,
            owed."interval",
            array_agg(distinct due.closed_at order by due.closed_at) as closed_ats
        from (
            select
                cadences.*,
                make_interval(secs => ops.interval_s(cadences."interval")) as length,
                min(cadences.since) filter (where cadences.cadence = 'close')
                    over (partition by cadences.venue, cadences."interval") as each_since
            from ops.cadences
        ) as owed
        cross join lateral (
            select
                greatest(
                    date_bin(owed.length, at, timestamptz 'epoch') - owed.length * slots_max,
                    owed.since - interval '1 microsecond',
                    kept_since
                ) as after,
                case
                    when owed.cadence = 'close' then at
                    else least(at, owed.each_since - interval '1 microsecond')
                end as until
        ) as span
        -- No span, no call: the function is strict, and reading an expression is what costs.
        cross join lateral ops.due_closes(
            owed.cadence,
            owed."interval",
            span.after,
            case when span.after < span.until then span.until end
        ) as due (closed_at)
        where not exists (
            select
            from ops.runs
            where runs.venue = owed.venue
                and runs."interval" = owed."interval"
                and runs.closed_at = due.closed_at
                and runs.trader_id is null
        )
        group by owed.venue, owed."interval"
        order by owed.venue, owed."interval"
    loop
        opened_count := opened_count + ops.open_runs(
            slots.venue, slots."interval", slots.closed_ats, at
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
-- None is made for a close at which the trader is not due.
declare
    changed_at timestamptz;
    trader_cadence text;
begin
    select traders.updated_at, traders.cadence
    into changed_at, trader_cadence
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
    if not ops.is_due(trader_cadence, "interval", closed_at) then
        return;
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

COMMENT ON FUNCTION ops.open_trader_run(venue text, "interval" text, closed_at timestamp with time zone, trader_id bigint) IS 'Make, or open again, the run of one trader for a slot it is due at; PT404 without a trader.';

CREATE FUNCTION ops.parse_cron(expression text, OUT minutes integer[], OUT hours integer[], OUT days integer[], OUT months integer[], OUT weekdays integer[], OUT is_either boolean) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
-- Return what the five fields of a cron expression, one space between them, stand for, or refuse it
-- (PT400): the timings of schedules and the cadences of traders are read here and nowhere else.
-- Weekdays are 0 (Sunday) to 6. `is_either`: day and weekday are both given, so one of them is
-- enough. As in pg_cron a field that begins with * is not given, whatever follows: with */2 both
-- must hold.
declare
    fields text[] := string_to_array(expression, ' ');
begin
    if cardinality(fields) is distinct from 5 then
        raise sqlstate 'PT400' using
            message = format(
                'expected five fields (minute hour day month weekday) or "every N s", was "%s"',
                expression
            ),
            hint = '"* * * * *": each minute; "0 3 * * *": each day at 03:00; "every 5 s"';
    end if;
    minutes := ops.cron_field(fields[1], 'minute', 0, 59);
    hours := ops.cron_field(fields[2], 'hour', 0, 23);
    days := ops.cron_field(fields[3], 'day', 1, 31);
    months := ops.cron_field(
        fields[4], 'month', 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}'
    );
    weekdays := ops.cron_field(fields[5], 'weekday', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
    if 7 = any(weekdays) then
        weekdays := 0 || array_remove(array_remove(weekdays, 0), 7);
    end if;
    is_either := left(fields[3], 1) <> '*' and left(fields[5], 1) <> '*';
end
$$;

COMMENT ON FUNCTION ops.parse_cron(expression text, OUT minutes integer[], OUT hours integer[], OUT days integer[], OUT months integer[], OUT weekdays integer[], OUT is_either boolean) IS 'Minutes, hours, days, months and weekdays of a cron expression of five fields, or PT400.';

CREATE FUNCTION ops.pause(name text, until timestamp with time zone, reason text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- Skip the runs of a schedule until an instant ('infinity': until ops.resume), and say so.
-- What is under way ends. Refused: an unknown name (PT404), an instant that has passed, no
-- reason (PT400). Pausing again replaces the pause.
begin
    perform ops.lock_schedule(name);
    if (until > clock_timestamp()) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected an instant in the future, was %s',
                coalesce(to_char(until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'null')
            ),
            hint = 'a time to come; ''infinity'' until somebody resumes it';
    end if;
    if (length(btrim(reason)) between 1 and 500) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected a reason of 1 to 500 characters, was %s',
                case when btrim(reason) <> '' then length(reason) || ' long' else 'empty' end
            ),
            hint = 'whoever finds it paused wants to know why';
    end if;
    update ops.timetable
    set paused_until = until, pause_reason = btrim(reason)
    where timetable.name = pause.name;
    return format(
        '%s is paused until %s', name,
        case
            when isfinite(until)
                then to_char(until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            else 'it is resumed'
        end
    );
end
$$;

COMMENT ON FUNCTION ops.pause(name text, until timestamp with time zone, reason text) IS 'Skip the runs of a schedule until an instant, for a reason; returns a sentence that says so.';

CREATE FUNCTION ops.ping_deadman() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Call the secret deadman_url unless an error incident is open; at most once in a minute of the
-- clock. Whoever waits at the other end raises the alarm when calls stop, also when all of this is
-- down. Returns whether it was called. The URL holds a token: it is kept as secrets are, never
-- written to a log, and of an error only its code is, because its text might quote the URL.
declare
    url text;
begin
    begin
        url := ops.secret('deadman_url');
    exception
        when sqlstate 'PT500' then
            return false;  -- None was stored: nobody waits.
    end;
    if exists (
        select
        from ops.incidents
        where incidents.closed_at is null and incidents.severity = 'error'
    ) then
        return false;
    end if;
    update ops.watch_state
    set pinged_at = now()
    where watch_state.pinged_at is null
        or date_trunc('minute', watch_state.pinged_at) < date_trunc('minute', now());
    if not found then
        return false;
    end if;
    perform net.http_get(url := url, timeout_milliseconds := 10000);
    return true;
exception
    when others then
        perform ops.write_log(
            'error', 'deadman_failed', jsonb_build_object('code', sqlstate)
        );
        return false;
end
$$;

COMMENT ON FUNCTION ops.ping_deadman() IS 'Call deadman_url while no error incident is open, once a minute; returns whether it did.';

CREATE FUNCTION ops.prepare_restore(schema_versions text[], replace boolean) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- Empty the tables that a backup fills, in the transaction that fills them. Refuses (PT409) a
-- schema of other migrations than the backup's, and, without `replace`, one where somebody's rows
-- are: what migrations themselves put there (ops, tiers) does not count.
-- Returns what finish_restore takes back: addresses belong to the system and not to its data, and
-- a function must not take its old list of traders for the current one.
declare
    kept jsonb;
    listed record;
    has_rows boolean;
    filled text[] := array[]::text[];
begin
    if prepare_restore.schema_versions is distinct from ops.schema_versions() then
        raise sqlstate 'PT409' using
            message = format(
                'expected the schema of the backup, %s (migrations: %s), was %s (%s)',
                coalesce(schema_versions[cardinality(schema_versions)], 'none'),
                cardinality(schema_versions),
                coalesce((ops.schema_versions())[cardinality(ops.schema_versions())], 'none'),
                cardinality(ops.schema_versions())
            ),
            hint = 'migrate the target with the checkout whose newest file in sql/migrations is the'
                ' backup''s, restore, then migrate on';
    end if;
    for listed in
        select tables.name
        from ops.list_backup_tables() as tables
        where tables.name !~ '^ops\.' and tables.name <> 'public.tiers'
    loop
        execute format('select exists (select from %s)', listed.name) into has_rows;
        if has_rows then
            filled := filled || listed.name;
        end if;
    end loop;
    if cardinality(filled) > 0 and not replace then
        raise sqlstate 'PT409' using
            message = format(
                'expected an empty target, there are rows in %s', array_to_string(filled, ', ')
            ),
            hint = '--replace deletes them; take a backup of the target first';
    end if;
    kept := jsonb_build_object(
        'addresses', (
            select coalesce(jsonb_object_agg(settings.name, settings.value), '{}')
            from ops.settings
            where settings.unit = 'url'
        ),
        'traders_revision', (select max(traders_revision.revision) from ops.traders_revision)
    );
    execute (
        select 'truncate ' || string_agg(tables.name, ', ')
        from ops.list_backup_tables() as tables
        where not tables.is_kept
    );
    return kept;
end
$$;

COMMENT ON FUNCTION ops.prepare_restore(schema_versions text[], replace boolean) IS 'Empty the tables that a backup fills, or PT409; returns what finish_restore takes.';

CREATE FUNCTION ops.raise_incident(kind text, subject text, severity text, message text, details jsonb DEFAULT '{}'::jsonb, quiet_s integer DEFAULT NULL::integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Say that something is abnormal now: a new incident with a line in the log, or the open one
    -- of this kind and subject brought up to date. Returns its id. It closes by itself when it was
    -- not raised again for quiet_s (null: incident_quiet_s), so say it again while it lasts.
    with raised as (
        insert into ops.incidents as incident (kind, subject, severity, message, details, quiet_s)
        values (
            raise_incident.kind,
            raise_incident.subject,
            raise_incident.severity,
            left(raise_incident.message, 1000),
            raise_incident.details,
            coalesce(raise_incident.quiet_s, ops.setting('incident_quiet_s')::integer)
        )
        on conflict (kind, subject) where closed_at is null do update
        set
            severity = excluded.severity,
            message = excluded.message,
            details = excluded.details,
            quiet_s = excluded.quiet_s,
            last_seen_at = now()
        -- A row that was only updated has been locked: xmax tells the two apart.
        returning incident.*, incident.xmax = 0 as is_new
    ),
    logged as (
        insert into ops.function_logs (source, level, event, fields)
        select
            'postgres',
            raised.severity,
            'incident_raised',
            jsonb_build_object(
                'incident_id', raised.id, 'kind', raised.kind, 'subject', raised.subject,
                'message', raised.message
            )
        from raised
        where raised.is_new
    )
    select raised.id from raised;
$$;

COMMENT ON FUNCTION ops.raise_incident(kind text, subject text, severity text, message text, details jsonb, quiet_s integer) IS 'Raise an incident, or bring the open one of its kind and subject up to date; returns its id.';

CREATE TABLE ops.function_logs (
    id bigint NOT NULL,
    logged_at timestamp with time zone DEFAULT now() NOT NULL,
    source text NOT NULL,
    level text NOT NULL,
    event text NOT NULL,
    run_id bigint,
    trader_id bigint,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    symbol text,
    line_key uuid,
    CONSTRAINT function_logs_event_is_1_to_200_characters CHECK (((length(event) >= 1) AND (length(event) <= 200))),
    CONSTRAINT function_logs_fields_is_bounded CHECK ((pg_column_size(fields) <= 64000)),
    CONSTRAINT function_logs_fields_is_object CHECK ((jsonb_typeof(fields) = 'object'::text)),
    CONSTRAINT function_logs_level_is_known CHECK ((level = ANY (ARRAY['debug'::text, 'info'::text, 'warn'::text, 'error'::text]))),
    CONSTRAINT function_logs_source_is_1_to_100_characters CHECK (((length(source) >= 1) AND (length(source) <= 100))),
    CONSTRAINT function_logs_symbol_is_1_to_80_characters CHECK (((length(symbol) >= 1) AND (length(symbol) <= 80)))
);

COMMENT ON TABLE ops.function_logs IS 'What functions and routines have to say to an operator; kept for log_retention_days.';

COMMENT ON COLUMN ops.function_logs.id IS 'Identity.';

COMMENT ON COLUMN ops.function_logs.logged_at IS 'When the line was written, by its writer, UTC.';

COMMENT ON COLUMN ops.function_logs.source IS 'Who writes: a function by its name, functions (none in particular), collector, schedules, postgres.';

COMMENT ON COLUMN ops.function_logs.level IS 'debug, info, warn, error.';

COMMENT ON COLUMN ops.function_logs.event IS 'What happened, as noun_verbed.';

COMMENT ON COLUMN ops.function_logs.run_id IS 'The run it is about; null: none.';

COMMENT ON COLUMN ops.function_logs.trader_id IS 'The trader it is about; null: none.';

COMMENT ON COLUMN ops.function_logs.fields IS 'The rest, as an object of at most 64,000 bytes.';

COMMENT ON COLUMN ops.function_logs.symbol IS 'The instrument it is about; null: none.';

COMMENT ON COLUMN ops.function_logs.line_key IS 'Given by the writer, so that a batch that is sent again is stored once; null: not repeatable.';

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

CREATE VIEW ops.log_lines WITH (security_invoker='true') AS
 SELECT function_logs.logged_at,
    function_logs.source,
    function_logs.level,
    function_logs.event,
    function_logs.run_id,
    function_logs.trader_id,
    function_logs.symbol,
    function_logs.fields,
    'lines'::text AS part,
    function_logs.id AS line_id
   FROM ops.function_logs
UNION ALL
 SELECT run_errors.created_at AS logged_at,
    'execute_traders'::text AS source,
    'warn'::text AS level,
    'trader_failed'::text AS event,
    run_errors.run_id,
    run_errors.trader_id,
    NULL::text AS symbol,
    jsonb_build_object('code', run_errors.code, 'message', run_errors.message) AS fields,
    'errors'::text AS part,
    run_errors.id AS line_id
   FROM ops.run_errors;

COMMENT ON VIEW ops.log_lines IS 'Every line of functions, collector, schedules and database, and each failed trader of a run.';

COMMENT ON COLUMN ops.log_lines.logged_at IS 'When the line was written, by its writer, UTC.';

COMMENT ON COLUMN ops.log_lines.source IS 'Who wrote it: see ops.function_logs.source.';

COMMENT ON COLUMN ops.log_lines.level IS 'debug, info, warn, error.';

COMMENT ON COLUMN ops.log_lines.event IS 'What happened, as noun_verbed.';

COMMENT ON COLUMN ops.log_lines.run_id IS 'The run it is about; null: none.';

COMMENT ON COLUMN ops.log_lines.trader_id IS 'The trader it is about; null: none.';

COMMENT ON COLUMN ops.log_lines.symbol IS 'The instrument it is about; null: none.';

COMMENT ON COLUMN ops.log_lines.fields IS 'The rest, as an object.';

COMMENT ON COLUMN ops.log_lines.part IS 'lines (ops.function_logs) or errors (ops.run_errors).';

COMMENT ON COLUMN ops.log_lines.line_id IS 'The id of its row there.';

CREATE FUNCTION ops.read_logs(wanted jsonb DEFAULT '{}'::jsonb) RETURNS SETOF ops.log_lines
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET jit TO 'off'
    AS $_$
-- Return lines of ops.log_lines. `wanted`, all optional: {"sources": […], "since", "until",
-- "level" (and above), "run_ids": […], "trader_ids": […], "symbols": […], "grep", "exclude": […]
-- (regular expressions over the line as it is printed, from its source on), "after": {"lines", "errors"} (ids),
-- "limit"}.
-- Without "after" the newest `limit`, newest first; with it the oldest, by line_id.
-- PT400 for what is not known or not possible; the hint names the key.
declare
    levels text[] := array['debug', 'info', 'warn', 'error'];
    conditions text[] := array[]::text[];
    key text;
    pattern text;
    -- As `closebell logs` prints it. Not a routine of its own: called for each of 100,000 lines it
    -- would take several times as long.
    line_text text := $text$
        concat_ws(
            ' ',
            source,
            event,
            'trader=' || trader_id,
            'symbol=' || symbol,
            (
                select string_agg(field.key || '=' || coalesce(field.value, 'null'), ' ')
                from jsonb_each_text(fields) as field (key, value)
            )
        )
    $text$;
    place integer;
begin
    for key in select * from jsonb_object_keys(wanted)
    loop
        if key <> all (array[
            'sources', 'since', 'until', 'level', 'run_ids', 'trader_ids', 'symbols', 'grep',
            'exclude', 'after', 'limit'
        ]) then
            raise sqlstate 'PT400' using message = format('expected a filter, was %s', key),
                hint = key;
        end if;
    end loop;
    if wanted ? 'sources' then
        for key in select * from jsonb_array_elements_text(wanted -> 'sources')
        loop
            if key <> all (ops.log_sources())
                and not exists (
                    select from ops.function_logs where function_logs.source = key
                )
            then
                raise sqlstate 'PT400' using
                    message = format('expected a function or another source, was %s', key),
                    hint = '`closebell logs sources` lists them';
            end if;
        end loop;
        conditions := conditions || format(
            'source = any (%L::text[])',
            array(select jsonb_array_elements_text(wanted -> 'sources'))
        );
    end if;
    if wanted ? 'since' then
        conditions := conditions || format(
            'logged_at >= %L::timestamptz', (wanted ->> 'since')::timestamptz
        );
    end if;
    if wanted ? 'until' then
        conditions := conditions || format(
            'logged_at < %L::timestamptz', (wanted ->> 'until')::timestamptz
        );
    end if;
    if wanted ? 'level' then
        place := array_position(levels, wanted ->> 'level');
        if place is null then
            raise sqlstate 'PT400' using
                message = format(
                    'expected debug, info, warn or error, was %s', wanted ->> 'level'
                ),
                hint = 'level';
        end if;
        if place > 1 then
            -- In the words of the index on problems, where they fit.
            conditions := conditions || format('level in (%s)', (
                select string_agg(quote_literal(level), ', ')
                from unnest(levels[place:]) as level
            ));
        end if;
    end if;
    if wanted ? 'run_ids' then
        conditions := conditions || format(
            'run_id = any (%L::bigint[])',
            array(select jsonb_array_elements_text(wanted -> 'run_ids'))
        );
    end if;
    if wanted ? 'trader_ids' then
        conditions := conditions || format(
            'trader_id = any (%L::bigint[])',
            array(select jsonb_array_elements_text(wanted -> 'trader_ids'))
        );
    end if;
    if wanted ? 'symbols' then
        conditions := conditions || format(
            'symbol = any (%L::text[])',
            array(select jsonb_array_elements_text(wanted -> 'symbols'))
        );
    end if;
    for key, pattern in
        select 'grep', wanted ->> 'grep'
        where wanted ? 'grep'
        union all
        select 'exclude', excluded
        from jsonb_array_elements_text(coalesce(wanted -> 'exclude', '[]')) as excluded
    loop
        perform '' ~ pattern;
        conditions := conditions || format(
            '%s %s %L', line_text, case key when 'grep' then '~' else '!~' end, pattern
        );
    end loop;
    if wanted ? 'after' then
        conditions := conditions || format(
            '((part = ''lines'' and line_id > %L::bigint)'
            ' or (part = ''errors'' and line_id > %L::bigint))',
            coalesce(wanted #>> '{after,lines}', '0'), coalesce(wanted #>> '{after,errors}', '0')
        );
    end if;
    return query execute format(
        'select * from ops.log_lines where %s order by %s limit %L::bigint',
        coalesce(nullif(array_to_string(conditions, ' and '), ''), 'true'),
        case when wanted ? 'after' then 'line_id' else 'logged_at desc, line_id desc' end,
        coalesce(wanted ->> 'limit', '100')
    );
exception
    when invalid_regular_expression then
        raise sqlstate 'PT400' using
            message = format(
                'expected a regular expression, was ''%s'': %s',
                pattern, replace(sqlerrm, 'invalid regular expression: ', '')
            ),
            hint = key;
end
$_$;

COMMENT ON FUNCTION ops.read_logs(wanted jsonb) IS 'Lines of the log by source, time, level, run, trader, instrument and text.';

CREATE FUNCTION ops.record_act(action text, object text, before jsonb DEFAULT NULL::jsonb, after jsonb DEFAULT NULL::jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    -- Who: the user of the token if there is one, else whoever opened the session.
    insert into ops.audit (who, via, action, object, before, after)
    values (
        coalesce(
            nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', session_user
        ),
        coalesce(current_setting('application_name', true), ''),
        action,
        object,
        before,
        after
    );
$$;

COMMENT ON FUNCTION ops.record_act(action text, object text, before jsonb, after jsonb) IS 'Write down in ops.audit who does what to which object, now.';

CREATE FUNCTION ops.record_backup(made_at timestamp with time zone, target text, bytes bigint, counts jsonb, checksum text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Note a completed backup and forget all but the newest 1,000; return its id.
declare
    new_id bigint;
begin
    insert into ops.backups (made_at, target, bytes, counts, checksum)
    values (
        record_backup.made_at,
        record_backup.target,
        record_backup.bytes,
        record_backup.counts,
        record_backup.checksum
    )
    returning backups.id into new_id;
    delete from ops.backups
    where backups.id <= (
        select kept.id
        from ops.backups as kept
        order by kept.id desc
        offset 1000
        limit 1
    );
    return new_id;
end
$$;

COMMENT ON FUNCTION ops.record_backup(made_at timestamp with time zone, target text, bytes bigint, counts jsonb, checksum text) IS 'Note a completed backup in ops.backups; returns its id.';

CREATE FUNCTION ops.record_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Write a changed schedule or setting into ops.audit; an update that changes nothing is no change.
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    if before is not distinct from after then
        return null;
    end if;
    perform ops.record_act(
        case
            when before is null then 'add'
            when after is null then 'remove'
            when before -> 'paused_until' is not distinct from after -> 'paused_until'
                and before -> 'pause_reason' is not distinct from after -> 'pause_reason'
                then 'change'
            when after ->> 'paused_until' is null then 'resume'
            else 'pause'
        end,
        format(
            '%s %s',
            case tg_table_name when 'timetable' then 'schedule' else 'setting' end,
            coalesce(after, before) ->> 'name'
        ),
        before,
        after
    );
    return null;
end
$$;

COMMENT ON FUNCTION ops.record_change() IS 'Trigger after a change of ops.timetable or ops.settings: a row of ops.audit.';

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

CREATE FUNCTION ops.refuse_unknown_schedule(name text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- Raise PT404 for a name that is no schedule; the hint lists those there are.
begin
    raise sqlstate 'PT404' using
        message = format('expected the name of a schedule, was %s', coalesce(name, 'null')),
        hint = 'there are: ' || coalesce(
            (
                select string_agg(timetable.name, ', ' order by timetable.name)
                from ops.timetable
            ),
            'none; apply sql/schedules.sql'
        );
end
$$;

COMMENT ON FUNCTION ops.refuse_unknown_schedule(name text) IS 'Raise PT404 for a name that is no schedule, with the names there are.';

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

CREATE FUNCTION ops.resume(name text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
-- End the pause of a schedule, and say so; nothing changes if there was none. PT404: unknown name.
-- What was missed is not run by this; the next run of `tick` finds the slots that are owed.
declare
    schedule ops.timetable := ops.lock_schedule(name);
begin
    update ops.timetable
    set paused_until = null, pause_reason = null
    where timetable.name = resume.name
        and timetable.paused_until is not null;
    return format(
        '%s %s; its next run is at %s', name,
        case when schedule.paused_until > now() then 'goes on' else 'was not paused' end,
        to_char(
            (ops.next_runs(schedule.timing, now(), 1))[1] at time zone 'UTC',
            'YYYY-MM-DD HH24:MI:SS "UTC"'
        )
    );
end
$$;

COMMENT ON FUNCTION ops.resume(name text) IS 'End the pause of a schedule; returns a sentence with its next run.';

CREATE PROCEDURE ops.run_now(IN name text, INOUT answer jsonb DEFAULT NULL::jsonb)
    LANGUAGE plpgsql
    AS $$
-- Run a schedule once, now, in this session, also if it is paused. Returns the first row of its
-- command as JSON; an error of the command is raised. Refused: an unknown name (PT404), a
-- schedule whose run is under way (PT409; with overlap "queue" this waits for it).
-- No `set` clause: it would forbid the commits.
begin
    call ops.run_schedule(name, true, answer);
end
$$;

COMMENT ON PROCEDURE ops.run_now(IN name text, INOUT answer jsonb) IS 'Run a schedule once, now; returns the first row of its command: call ops.run_now(''tick'');';

CREATE PROCEDURE ops.run_schedule(IN name text, IN by_hand boolean DEFAULT false, INOUT answer jsonb DEFAULT NULL::jsonb)
    LANGUAGE plpgsql
    AS $$
-- What every job of pg_cron calls: run a schedule and write down how it went (ops.schedule_runs).
-- "every N s" runs at each mark of this minute and ends with it: pg_cron calls again.
-- Each step is committed, so that a run that dies leaves its row. A select is watched by an
-- exception block; a call may commit, which such a block would forbid: if it fails, so does this
-- procedure, and ops.close_dead_runs tells the tale. A failure is raised at the end, for pg_cron.
-- Returns the first row of the command as JSON. No `set` clause: it would forbid the commits.
declare
    step_s integer;
    mark timestamptz;
    minute_end timestamptz := date_trunc('minute', clock_timestamp()) + interval '1 minute';
    -- Longer than any run should take; pg_cron does not start another meanwhile.
    patient_until timestamptz := clock_timestamp() + interval '10 minutes';
    begun record;
    failure text;
    failure_code text;
    last_failure text;
begin
    select ops.every_s(timetable.timing)
    into step_s
    from ops.timetable
    where timetable.name = run_schedule.name;
    mark := date_bin(make_interval(secs => step_s), clock_timestamp(), timestamptz 'epoch');
    loop
        loop
            begun := ops.begin_run(name, by_hand, clock_timestamp() < patient_until);
            commit;
            exit when not begun.is_waiting;
            perform pg_sleep(0.2);
        end loop;
        if begun.run_id is not null then
            failure := null;
            if begun.command ~* '^\s*call\s' then
                -- A call that is written out may commit; one that is executed may not.
                execute format(
                    'create or replace procedure pg_temp.scheduled() language plpgsql as %L',
                    'begin ' || rtrim(begun.command, E' \n;') || E'\n; end'
                );
                commit;
                call pg_temp.scheduled();
            else
                begin
                    -- All rows are made, the first is kept.
                    execute format(
                        E'select jsonb_agg(to_jsonb(found)) -> 0 from (%s\n) as found',
                        rtrim(begun.command, E' \n;')
                    )
                    into answer;
                exception
                    when query_canceled or others then
                        failure := sqlerrm;
                        last_failure := failure;
                        failure_code := sqlstate;
                end;
            end if;
            perform ops.end_run(begun.run_id, failure, answer);
            commit;
        end if;
        exit when by_hand or step_s is null or failure_code = '57014';
        -- One mark after the other, also those that passed meanwhile: begin_run knows what to do.
        mark := mark + make_interval(secs => step_s);
        exit when mark >= minute_end or clock_timestamp() >= minute_end;
        perform pg_sleep(extract(epoch from mark - clock_timestamp()));
        commit;
    end loop;
    if failure_code is not null then
        raise exception using errcode = failure_code, message = last_failure;
    end if;
end
$$;

COMMENT ON PROCEDURE ops.run_schedule(IN name text, IN by_hand boolean, INOUT answer jsonb) IS 'Run a schedule once, or at each of its seconds in this minute, and write down how it went.';

CREATE FUNCTION ops.schema_versions() RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
-- The versions of the migrations that made this schema, in order; none in a scratch database.
declare
    versions text[];
begin
    if to_regclass('supabase_migrations.schema_migrations') is null then
        return array[]::text[];
    end if;
    execute
        'select array_agg(version order by version) from supabase_migrations.schema_migrations'
    into versions;
    return coalesce(versions, array[]::text[]);
end
$$;

COMMENT ON FUNCTION ops.schema_versions() IS 'Versions of the applied migrations, in order.';

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
                hint = format('select ops.store_secret(%L, ''…'');', secret.name);
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
            hint = format('select ops.store_secret(%L, ''…'');', secret.name);
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

CREATE FUNCTION ops.slot_story(venue text, "interval" text, closed_at timestamp with time zone, lines_max integer DEFAULT 200) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

COMMENT ON FUNCTION ops.slot_story(venue text, "interval" text, closed_at timestamp with time zone, lines_max integer) IS 'Everything known of a slot as one document: ticks, runs, incidents, errors, log lines.';

CREATE FUNCTION ops.status() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
-- How everything is, in one answer: feeds, slots, traders, outbox, kill switch, schedules, open
-- incidents, budget, the newest backup (null: none yet). `closebell status` shows it.
select jsonb_build_object(
    'at', now(),
    'signals_enabled', ops.setting('signals_enabled') = 'on',
    'feeds', ops.status_feeds(),
    'traders', ops.status_traders(),
    'outbox', (
        select jsonb_build_object('pending_count', count(*), 'oldest_at', min(outbox.created_at))
        from ops.outbox
        where outbox.status = 'pending'
    ),
    'schedules', (
        select coalesce(jsonb_agg(to_jsonb(listed) order by listed.name), '[]')
        from (
            select
                schedules.name,
                schedules.timing_text,
                schedules.next_runs,
                schedules.last_run_at,
                schedules.last_status,
                schedules.last_http_status,
                schedules.average_ms,
                schedules.fail_streak,
                schedules.paused_until,
                schedules.reason
            from ops.schedules
        ) as listed
    ),
    'incidents', (
        select coalesce(jsonb_agg(to_jsonb(listed)), '[]')
        from (
            select
                incidents.id,
                incidents.kind,
                incidents.subject,
                incidents.severity,
                incidents.message,
                incidents.raised_at,
                incidents.last_seen_at,
                incidents.acknowledged_at,
                incidents.acknowledged_by
            from ops.incidents
            where incidents.closed_at is null
            order by incidents.severity = 'error' desc, incidents.raised_at desc
            limit 50
        ) as listed
    ),
    'budget', (
        select coalesce(jsonb_agg(to_jsonb(listed) order by listed.share desc), '[]')
        from (
            select
                budget.meter,
                budget.unit,
                budget.used_today,
                budget.used_month,
                budget.projected_month,
                budget.free_limit,
                budget.share
            from ops.budget
            where budget.share is not null
        ) as listed
    ),
    'backup', (
        select jsonb_build_object(
            'made_at', backups.made_at, 'target', backups.target, 'bytes', backups.bytes
        )
        from ops.backups
        order by backups.made_at desc
        limit 1
    )
)
$$;

COMMENT ON FUNCTION ops.status() IS 'Feeds, slots of the last hour, traders, outbox, schedules, incidents, budget, backup: one document.';

CREATE FUNCTION ops.status_feeds() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
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

COMMENT ON FUNCTION ops.status_feeds() IS 'Part of ops.status(): newest evaluated close and slots of the last hour per interval.';

CREATE FUNCTION ops.status_traders() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
-- How many traders there are, when one ran last, the last signal, and those that fail: with
-- errors in a row, or disabled with a reason; the ten worst.
select jsonb_build_object(
    'enabled_count', count(*) filter (where traders.enabled),
    'disabled_count', count(*) filter (where not traders.enabled),
    'stopped_count', count(*) filter (where traders.disabled_reason is not null),
    'failing_count', count(*) filter (where traders.enabled and traders.error_count > 0),
    -- Runs are opened in the order of their ids: the newest few hundred hold the last that ended.
    'last_run_at', (
        select max(newest.finished_at)
        from (select runs.finished_at from ops.runs order by runs.id desc limit 500) as newest
    ),
    'last_signal', (
        select jsonb_build_object(
            'created_at', signals.created_at,
            'instrument', signals.instrument,
            'origin', signals.origin,
            'trader', (select named.name from public.traders as named
                where named.id = signals.trader_id)
        )
        from public.signals
        order by signals.id desc
        limit 1
    ),
    'errors', coalesce(
        (
            select jsonb_agg(to_jsonb(worst))
            from (
                select
                    failing.id,
                    failing.name,
                    failing.enabled,
                    failing.error_count,
                    left(coalesce(failing.disabled_reason, failing.last_error), 200) as message
                from public.traders as failing
                where failing.error_count > 0
                order by failing.enabled desc, failing.error_count desc, failing.id
                limit 10
            ) as worst
        ),
        '[]'
    )
)
from public.traders
$$;

COMMENT ON FUNCTION ops.status_traders() IS 'Part of ops.status(): counts of traders, last run and signal, the ten that fail most.';

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

CREATE FUNCTION ops.table_checksum(name text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    AS $_$
-- Return {"rows", "checksum"} of a table. The checksum is that of a bag: MD5 of each row's text,
-- its halves summed, so that order does not matter and a doubled or lost row does.
declare
    fields text;
    found_jsonb jsonb;
begin
    select string_agg(format('rows_.%I', attributes.attname), ', ' order by attributes.attname)
    into fields
    from pg_catalog.pg_attribute as attributes
    where attributes.attrelid = table_checksum.name::pg_catalog.regclass
        and attributes.attnum > 0
        and not attributes.attisdropped;
    execute format(
        $query$
        select jsonb_build_object(
            'rows', count(*),
            'checksum', md5(concat_ws(
                ':',
                count(*),
                sum(('x' || left(hash, 16))::bit(64)::bigint::numeric),
                sum(('x' || right(hash, 16))::bit(64)::bigint::numeric)
            ))
        )
        from (select md5(row(%s)::text) as hash from %s as rows_) as hashes
        $query$,
        fields, table_checksum.name::pg_catalog.regclass
    )
    into found_jsonb;
    return found_jsonb;
end
$_$;

COMMENT ON FUNCTION ops.table_checksum(name text) IS 'Rows of a table, count, and a checksum of them that does not depend on their order.';

CREATE FUNCTION ops.tick(at timestamp with time zone DEFAULT now()) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
-- Once a minute: make the slots that are owed, then name everything unfinished to
-- trigger_executions in one signed call. Twice in a minute, late, or not at all for a while:
-- the same slots exist afterwards, and claims see to it that each is worked on once.
-- Returns {"opened", "dispatched", "request_id", "run_ids", "error"}: runs made, runs named and
-- which, and why the call could not be made. Of a tick on schedule it is in ops.schedule_runs.
declare
    opened_count integer;
    runs jsonb;
    request_id bigint;
    failure text;
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
                failure := sqlerrm;
                perform ops.write_log(
                    'error', 'dispatch_failed',
                    jsonb_build_object('message', sqlerrm, 'code', sqlstate)
                );
        end;
    end if;
    if request_id is null then
        runs := '[]';
    end if;
    return jsonb_build_object(
        'opened', opened_count,
        'dispatched', jsonb_array_length(runs),
        'request_id', request_id,
        'run_ids', jsonb_path_query_array(runs, '$[*].run_id'),
        'error', left(failure, 2000)
    );
end
$_$;

COMMENT ON FUNCTION ops.tick(at timestamp with time zone) IS 'Scheduled each minute: make owed slots, call trigger_executions with all unfinished runs.';

CREATE FUNCTION ops.timing_text(timing text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $_$
-- Return a timing in plain English: "every minute", "every day at 03:00",
-- "every 5 minutes of hours 9 to 17 on Monday to Friday". Times are UTC.
declare
    step_s integer := ops.every_s(timing);
    plan record;
    minute_step integer;
    hour_step integer;
    time_words text;
    day_words text;
    weekday_words text;
    when_words text;
begin
    if step_s is not null then
        return case step_s when 1 then 'every second' else format('every %s s', step_s) end;
    end if;
    plan := ops.parse_cron(timing);
    minute_step := ops.even_step(plan.minutes, 60);
    hour_step := ops.even_step(plan.hours, 24);

    time_words := case
        when minute_step = 1 then 'every minute'
        when minute_step is not null then format('every %s minutes', minute_step)
        when cardinality(plan.minutes) = 1
            then format('at :%s', lpad(plan.minutes[1]::text, 2, '0'))
        else 'at minutes ' || ops.list_numbers(plan.minutes)
    end;
    if hour_step = 1 then
        time_words := case when minute_step is null then 'every hour ' else '' end || time_words;
    elsif hour_step is not null and cardinality(plan.minutes) = 1 then
        time_words := format('every %s hours %s', hour_step, time_words);
    elsif cardinality(plan.minutes) * cardinality(plan.hours) <= 4 then
        time_words := 'at ' || (
            select regexp_replace(
                string_agg(
                    to_char(make_time(hour, minute, 0), 'HH24:MI'), ', ' order by hour, minute
                ),
                ', ([^,]*)$',
                ' and \1'
            )
            from unnest(plan.hours) as hour
            cross join unnest(plan.minutes) as minute
        );
    else
        time_words := format('%s of hour%s %s', time_words,
            case when cardinality(plan.hours) > 1 then 's' else '' end,
            ops.list_numbers(plan.hours)
        );
    end if;

    if cardinality(plan.days) < 31 then
        day_words := format('day%s %s of the month',
            case when cardinality(plan.days) > 1 then 's' else '' end,
            ops.list_numbers(plan.days)
        );
    end if;
    if cardinality(plan.weekdays) < 7 then
        weekday_words := ops.list_numbers(plan.weekdays, array[
            'Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'
        ]);
    end if;
    if plan.is_either then
        -- Null, so every day, if one of them is no limit.
        when_words := 'on ' || day_words || ' or on ' || weekday_words;
    elsif day_words is not null and weekday_words is not null then
        when_words := format('on %s if it is %s', day_words, weekday_words);
    else
        when_words := 'on ' || coalesce(day_words, weekday_words);
    end if;
    return case when when_words is null and time_words like 'at %' then 'every day ' else '' end
        || time_words
        || coalesce(' ' || when_words, '')
        || case
            when cardinality(plan.months) = 12 then ''
            else ' in ' || ops.list_numbers(plan.months, array[
                null, 'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August',
                'September', 'October', 'November', 'December'
            ])
        end;
end
$_$;

COMMENT ON FUNCTION ops.timing_text(timing text) IS 'A timing (cron expression of five fields, or "every N s") in plain English, or PT400.';

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
    audit_before timestamptz := now() - make_interval(
        days => ops.setting('audit_retention_days')::integer
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

    delete from ops.log_days
    where log_days.day < logs_before::date;
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

    delete from ops.schedule_runs
    where schedule_runs.id in (
        select oldest.id
        from (
            select candidates.id, candidates.started_at
            from ops.schedule_runs as candidates
            order by candidates.id
            limit rows_max
        ) as oldest
        where oldest.started_at < logs_before
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    delete from ops.incidents
    where incidents.id in (
        select oldest.id
        from ops.incidents as oldest
        where oldest.closed_at < now() - make_interval(
            days => ops.setting('incident_retention_days')::integer
        )
        order by oldest.closed_at
        limit rows_max
    );
    get diagnostics batch_count = row_count;
    deleted_count := deleted_count + batch_count;

    delete from ops.audit
    where audit.id in (
        select oldest.id
        from (
            select candidates.id, candidates.at
            from ops.audit as candidates
            order by candidates.id
            limit rows_max
        ) as oldest
        where oldest.at < audit_before
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

CREATE FUNCTION ops.wanted_job(name text, timing text, OUT schedule text, OUT command text) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    -- What pg_cron has to run for a schedule. "every N s" is a job of every minute, too: the run
    -- makes its own marks within the minute, which works with any version of pg_cron.
    select
        case when ops.every_s(timing) is null then timing else '* * * * *' end,
        format('call ops.run_schedule(%L)', name);
$$;

COMMENT ON FUNCTION ops.wanted_job(name text, timing text, OUT schedule text, OUT command text) IS 'Cron expression and command of the job that pg_cron has to run for a schedule.';

CREATE FUNCTION ops.watch(is_scheduled boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Look for everything abnormal: raise an incident for each cause that is found, close those whose
-- cause was not seen for their quiet_s, and ping the dead-man URL if no error is left.
-- A check that breaks breaks the whole look: nothing is closed, nobody is pinged, and
-- ops.watch_if_late tells of it. `is_scheduled`: false for looks in place of the schedule; they
-- ping nobody, because the timetable does not run.
-- Returns {"open", "closed", "pinged"}.
declare
    cause ops.cause;
    closed_count integer;
    was_pinged boolean := false;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('closebell.watch', 0)) then
        return jsonb_build_object('skipped', 'another look is under way');
    end if;
    perform ops.note_look(is_scheduled);
    for cause in
        select found.* from ops.find_slot_causes() as found
        union all
        select found.* from ops.find_feed_causes() as found
        union all
        select found.* from ops.find_schedule_causes() as found
        union all
        select found.* from ops.find_outbox_causes() as found
        union all
        select found.* from ops.find_cron_causes() as found
        union all
        select found.* from ops.find_request_causes() as found
        union all
        select found.* from ops.find_budget_causes() as found
        union all
        select found.* from ops.find_backup_causes() as found
    loop
        perform ops.raise_incident(
            cause.kind, cause.subject, cause.severity, cause.message, cause.details,
            -- A pause ends by hand or at its time: it does not come and go.
            quiet_s => case cause.kind when 'schedule_paused' then 30 end
        );
    end loop;
    closed_count := ops.close_quiet_incidents();
    if is_scheduled then
        was_pinged := ops.ping_deadman();
    end if;
    return jsonb_build_object(
        'open', (select count(*) from ops.incidents where incidents.closed_at is null),
        'closed', closed_count,
        'pinged', was_pinged
    );
end
$$;

COMMENT ON FUNCTION ops.watch(is_scheduled boolean) IS 'Scheduled each minute: raise and close incidents, ping the dead-man URL; returns counts.';

CREATE FUNCTION ops.watch_if_late() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Look in place of the schedule if it has not looked for cron_silent_after_s: a silent pg_cron
-- cannot tell of itself. Called by all that comes by without cron: the collector's poke
-- (public.open_slot), an operator's dashboard (public.list_incidents), the command line.
-- While the schedule runs this is one read of one row. Never raises: the caller has work to do.
declare
    state ops.watch_state;
begin
    select watch_state.* into state from ops.watch_state;
    if state.scheduled_at > now() - make_interval(
        secs => ops.setting('cron_silent_after_s')::integer
    ) then
        return;
    end if;
    if state.late_since is null then
        update ops.watch_state set late_since = now() where watch_state.late_since is null;
    end if;
    -- As often as the schedule would, however many come by.
    if state.watched_at < now() - interval '50 seconds' then
        perform ops.watch(is_scheduled => false);
    end if;
exception
    when others then
        perform ops.raise_incident(
            'schedule_failing', 'watch', 'error',
            format('ops.watch() fails, so nothing else is watched: %s', sqlerrm),
            jsonb_build_object('code', sqlstate)
        );
end
$$;

COMMENT ON FUNCTION ops.watch_if_late() IS 'Look in place of the schedule watch if that is late; for whoever comes by without cron.';

CREATE FUNCTION ops.write_log(level text, event text, fields jsonb DEFAULT '{}'::jsonb, run_id bigint DEFAULT NULL::bigint, trader_id bigint DEFAULT NULL::bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Append a line of the database itself. On a day that is full it is counted and left out.
declare
    room record := ops.log_room();
begin
    if room.lines_count >= room.lines_max or room.bytes_count >= room.bytes_max then
        perform ops.note_full_day(1);
        return;
    end if;
    insert into ops.function_logs (source, level, event, run_id, trader_id, symbol, fields)
    values (
        'postgres', level, event, run_id, trader_id, left(nullif(fields ->> 'symbol', ''), 80),
        fields
    );
end
$$;

COMMENT ON FUNCTION ops.write_log(level text, event text, fields jsonb, run_id bigint, trader_id bigint) IS 'Append a line of the database itself to ops.function_logs.';

CREATE FUNCTION public.acknowledge_incident(id bigint, note text DEFAULT ''::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Take an open incident in hand, named as the user is; returns {"acknowledged_at",
-- "acknowledged_by"}. PT403 unless the user is an operator, whatever the id; PT404, PT409, PT400.
declare
    incident ops.incidents;
    who text;
begin
    if not ops.is_operator() then
        raise sqlstate 'PT403' using
            message = 'expected an operator, was another user',
            hint = 'update public.profiles set is_admin = true where user_id = ''…'';';
    end if;
    select coalesce(profiles.display_name, users.email, profiles.user_id::text)
    into who
    from public.profiles
    inner join auth.users as users on users.id = profiles.user_id
    where profiles.user_id = (select auth.uid());
    incident := ops.acknowledge_incident(
        acknowledge_incident.id, coalesce(acknowledge_incident.note, ''), who
    );
    return jsonb_build_object(
        'acknowledged_at', incident.acknowledged_at,
        'acknowledged_by', incident.acknowledged_by
    );
end
$$;

COMMENT ON FUNCTION public.acknowledge_incident(id bigint, note text) IS 'Operators only. Take an open incident in hand, with a note. PT403, PT404, PT409, PT400.';

CREATE FUNCTION public.add_usage(rows jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Take what processes have used since their start: [{"reporter", "totals": {meter: amount}}], at
-- most 20; returns {"reporters"}. The difference to the last report of each is added to today,
-- so the same report again adds nothing and the next one makes up for one that was lost. What a
-- process used after its last report is lost with it.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    today date := (now() at time zone 'UTC')::date;
    reporters_max constant integer := 10000;
begin
    perform ops.check_usage(given);
    if (select count(*) from ops.usage_reporters) >= reporters_max
        and exists (
            select
            from jsonb_array_elements(given) as item
            where item ->> 'reporter' not in (select reporter from ops.usage_reporters)
        )
    then
        raise sqlstate 'PT429' using
            message = format('expected at most %s reporters in a week', reporters_max),
            hint = 'processes are started all the time: look at the host''s log';
    end if;

    -- Rows are locked in the order of their names, here and below, so that no two calls wait for
    -- each other.
    insert into ops.usage_reporters (reporter)
    select distinct item ->> 'reporter'
    from jsonb_array_elements(given) as item
    order by 1
    on conflict do nothing;
    perform
    from ops.usage_reporters
    where reporter in (select item ->> 'reporter' from jsonb_array_elements(given) as item)
    order by reporter
    for update;

    insert into ops.usage (meter, day, amount, settled_at, settled_amount)
    select
        added.meter,
        today,
        sum(added.amount),
        now(),
        sum(added.amount)
    from (
        select
            sent.meter,
            max(sent.total) - coalesce((reporters.totals ->> sent.meter)::numeric, 0) as amount
        from ops.list_usage(given) as sent
        inner join ops.usage_reporters as reporters on reporters.reporter = sent.reporter
        group by sent.meter, reporters.reporter, reporters.totals
    ) as added
    where added.amount > 0
    group by added.meter
    order by added.meter
    on conflict (meter, day) do update
    set
        amount = usage.amount + excluded.amount,
        settled_amount = case
            when now() < usage.first_at + interval '5 minutes'
                then usage.amount + excluded.amount
            else usage.settled_amount
        end,
        settled_at = case
            when now() < usage.first_at + interval '5 minutes' then now()
            else usage.settled_at
        end;

    update ops.usage_reporters
    set
        totals = usage_reporters.totals || newest.totals,
        reported_at = now()
    from (
        select
            sent.reporter,
            jsonb_object_agg(
                sent.meter,
                greatest(sent.total, coalesce((reporters.totals ->> sent.meter)::numeric, 0))
                order by sent.total
            ) as totals
        from ops.list_usage(given) as sent
        inner join ops.usage_reporters as reporters on reporters.reporter = sent.reporter
        group by sent.reporter
    ) as newest
    where usage_reporters.reporter = newest.reporter;
    return jsonb_build_object('reporters', jsonb_array_length(given));
end
$$;

COMMENT ON FUNCTION public.add_usage(rows jsonb) IS 'Service only. Add what processes used since their last report; returns {"reporters"}.';

CREATE FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint DEFAULT NULL::bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Take a run for run_lease_s, and get what is needed to do it:
-- {"claimed": true, "claim_token", "run": {…}, "due": {…}, "traders_revision",
-- "traders": null | […]}
-- or {"claimed": false, "reason": "finished" | "claimed" | "stopped"}.
-- `traders` is null if the caller's list of this shard (known_traders_revision) is current. A run
-- of one trader always gets that one, under revision -1, which is never current.
-- `due` names the cadences besides close that are due, and how many bars before the previous due
-- close was: a trader of another cadence is not evaluated at this close.
-- Of callers at the same moment one wins: the row is locked, others skip it.
declare
    run ops.runs;
    run_status text;
    traders_revision bigint;
    traders_json jsonb;
    due_json jsonb;
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
        end,
        ops.list_due_cadences(run.venue, run."interval", run.closed_at)
    into traders_revision, traders_json, due_json
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
        'due', due_json,
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

CREATE FUNCTION public.list_incidents() RETURNS TABLE(id bigint, kind text, subject text, severity text, message text, raised_at timestamp with time zone, last_seen_at timestamp with time zone, acknowledged_at timestamp with time zone, acknowledged_by text, note text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return the open incidents to an operator, errors first, the newest first, at most 100; nothing to
-- anybody else. Looks first if the schedule watch is late: then this may be all that looks.
begin
    if not ops.is_operator() then
        return;
    end if;
    perform ops.watch_if_late();
    return query
    select
        incidents.id,
        incidents.kind,
        incidents.subject,
        incidents.severity,
        incidents.message,
        incidents.raised_at,
        incidents.last_seen_at,
        incidents.acknowledged_at,
        incidents.acknowledged_by,
        incidents.note
    from ops.incidents
    where incidents.closed_at is null
    order by incidents.severity, incidents.raised_at desc, incidents.id desc
    limit 100;
end
$$;

COMMENT ON FUNCTION public.list_incidents() IS 'Signed-in users. The open incidents, for an operator; no row for anybody else.';

CREATE FUNCTION public.open_slot(venue text, "interval" text, closed_at_ms bigint, trader_id bigint DEFAULT NULL::bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
-- Return the runs of a slot as {"runs": [{"run_id", "shard", "status"}]}, making those that are
-- missing. Status is open, claimed, finished, failed, or incomplete (finished, and instruments
-- are missing: worth a claim when their frame has a new revision). With trader_id: the run of
-- that trader alone; one that is over is opened again if the trader was changed since. No runs
-- are made for a slot at which nobody is due.
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
        if ops.has_due_trader(venue, "interval", slot_at) then
            perform ops.open_runs(venue, "interval", array[slot_at], now());
        end if;
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
    -- The collector's poke comes by here without cron: who else should notice that cron is silent?
    perform ops.watch_if_late();
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
            '{"description": "", "cooldown_s": 0, "cadence": "close", "enabled": true}'::jsonb || given
        );
        insert into public.traders
            (user_id, name, description, rule, venue, universe, "interval", trigger, cooldown_s,
                cadence, enabled)
        values
            (store_trader.user_id, stored.name, stored.description, stored.rule, stored.venue,
                stored.universe, stored."interval", stored.trigger, stored.cooldown_s,
                stored.cadence, stored.enabled)
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
        cadence = stored.cadence,
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
-- "trader_id"?, "symbol"?, "line_key"?, "fields"?}], at most 1,000; returns {"inserted",
-- "sampled", "dropped"}. A line whose key is there already is stored once.
-- Levels of Python's logging are understood (warning, critical). What is too long is cut: a log
-- must not be lost because it has much to say.
-- What is left out: of info and debug lines all but one in log_sample_info, log_sample_debug;
-- from half a day's room on, debug and nine in ten of info; from four fifths on, info; when the
-- day is full, all. The lines of a run are kept or left out together.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    room record := ops.log_room();
    sample_info integer := ops.setting('log_sample_info')::integer;
    sample_debug integer := ops.setting('log_sample_debug')::integer;
    inserted_count integer;
    sampled integer;
    dropped integer;
begin
    if jsonb_array_length(given) > 1000 then
        raise sqlstate 'PT400' using
            message = format('expected at most 1000 lines, was %s', jsonb_array_length(given)),
            hint = 'rows';
    end if;
    with read as (
        select
            coalesce(line.logged_at, now()) as logged_at,
            left(coalesce(nullif(line.source, ''), 'unnamed'), 100) as source,
            case lower(line.level)
                when 'warning' then 'warn'
                when 'critical' then 'error'
                when 'exception' then 'error'
                when 'notset' then 'debug'
                else coalesce(lower(line.level), 'info')
            end as level,
            left(coalesce(nullif(line.event, ''), 'unnamed'), 200) as event,
            line.run_id,
            line.trader_id,
            left(nullif(line.symbol, ''), 80) as symbol,
            line.line_key,
            case
                when jsonb_typeof(line.fields) is distinct from 'object' then '{}'
                when pg_column_size(line.fields) > 64000
                then jsonb_build_object('cut', left(line.fields::text, 12000))
                else line.fields
            end as fields,
            row_number() over () as place
        from jsonb_to_recordset(given) as line (
            logged_at timestamptz, source text, level text, event text, run_id bigint,
            trader_id bigint, symbol text, line_key uuid, fields jsonb
        )
    ),
    measured as (
        select
            read.*,
            -- The share of the day's room that is used once this line is stored.
            greatest(
                (room.lines_count + read.place)::float8 / room.lines_max,
                (room.bytes_count + sum(ops.line_bytes(read.fields)) over (order by read.place))
                ::float8 / room.bytes_max
            ) as share,
            hashtextextended(
                coalesce(read.run_id::text, read.line_key::text, read.fields::text), 0
            ) & 2147483647 as lot
        from read
    ),
    judged as (
        select
            measured.*,
            case
                when measured.share > 1 then 'dropped'
                when measured.level = 'info' and measured.share > 0.8 then 'dropped'
                when measured.level = 'debug' and measured.share > 0.5 then 'dropped'
                when measured.level = 'info' and measured.lot
                    % (case when measured.share > 0.5 then 10 * sample_info else sample_info end)
                    <> 0 then 'sampled'
                when measured.level = 'debug' and measured.lot % sample_debug <> 0 then 'sampled'
                else 'stored'
            end as fate
        from measured
    ),
    stored as (
        insert into ops.function_logs
            (logged_at, source, level, event, run_id, trader_id, symbol, line_key, fields)
        select
            judged.logged_at,
            judged.source,
            judged.level,
            judged.event,
            judged.run_id,
            judged.trader_id,
            judged.symbol,
            judged.line_key,
            judged.fields
        from judged
        where judged.fate = 'stored'
        order by judged.place
        on conflict (line_key) where line_key is not null do nothing
        returning function_logs.id
    )
    select
        (select count(*) from stored),
        count(*) filter (where judged.fate = 'sampled'),
        count(*) filter (where judged.fate = 'dropped')
    into inserted_count, sampled, dropped
    from judged;

    if sampled > 0 then
        perform ops.count_lines(sampled => sampled);
    end if;
    if dropped > 0 then
        perform ops.note_full_day(dropped);
    end if;
    return jsonb_build_object(
        'inserted', inserted_count, 'sampled', sampled, 'dropped', dropped
    );
exception
    when check_violation or invalid_text_representation or invalid_datetime_format
        or datetime_field_overflow or numeric_value_out_of_range or invalid_parameter_value
    then
        raise sqlstate 'PT400' using
            message = format('expected log lines as documented, was refused: %s', sqlerrm),
            hint = 'rows';
end
$$;

COMMENT ON FUNCTION public.write_logs(rows jsonb) IS 'Service only. Append lines to ops.function_logs; returns {"inserted", "sampled", "dropped"}.';

CREATE TABLE ops.audit (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    who text NOT NULL,
    via text DEFAULT ''::text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT audit_action_is_known CHECK ((action = ANY (ARRAY['add'::text, 'change'::text, 'remove'::text, 'pause'::text, 'resume'::text, 'run_now'::text])))
);

COMMENT ON TABLE ops.audit IS 'Who changed which schedule or setting, when; written by triggers, kept audit_retention_days.';

COMMENT ON COLUMN ops.audit.id IS 'Identity.';

COMMENT ON COLUMN ops.audit.at IS 'When, UTC.';

COMMENT ON COLUMN ops.audit.who IS 'The signed-in user''s id, else the session''s role.';

COMMENT ON COLUMN ops.audit.via IS 'Program that was used (application_name); may be empty.';

COMMENT ON COLUMN ops.audit.action IS 'add, change, remove, pause, resume, run_now.';

COMMENT ON COLUMN ops.audit.object IS 'What was changed: "schedule tick", "setting error_limit".';

COMMENT ON COLUMN ops.audit.before IS 'The row before; null: there was none.';

COMMENT ON COLUMN ops.audit.after IS 'The row after; null: it is gone.';

ALTER TABLE ops.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ops.backups (
    id bigint NOT NULL,
    made_at timestamp with time zone NOT NULL,
    target text NOT NULL,
    bytes bigint NOT NULL,
    counts jsonb NOT NULL,
    checksum text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT backups_bytes_is_positive CHECK ((bytes > 0)),
    CONSTRAINT backups_checksum_is_sha256 CHECK ((checksum ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT backups_counts_is_object CHECK ((jsonb_typeof(counts) = 'object'::text)),
    CONSTRAINT backups_target_is_1_to_2000_characters CHECK (((length(target) >= 1) AND (length(target) <= 2000)))
);

COMMENT ON TABLE ops.backups IS 'A backup that was completed, newest 1,000; the watchdog reads the age of the newest.';

COMMENT ON COLUMN ops.backups.id IS 'Identity.';

COMMENT ON COLUMN ops.backups.made_at IS 'The instant whose state it holds, UTC.';

COMMENT ON COLUMN ops.backups.target IS 'Where it was written: a path on its machine, or s3://….';

COMMENT ON COLUMN ops.backups.bytes IS 'Size of the file, bytes.';

COMMENT ON COLUMN ops.backups.counts IS 'Name of each table in it → rows, count.';

COMMENT ON COLUMN ops.backups.checksum IS 'SHA-256 of the file, hexadecimal.';

COMMENT ON COLUMN ops.backups.recorded_at IS 'When it was complete and this row stored, UTC.';

ALTER TABLE ops.backups ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.backups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW ops.budget AS
SELECT
    NULL::text AS meter,
    NULL::text AS unit,
    NULL::numeric AS used_today,
    NULL::numeric AS used_month,
    NULL::numeric AS projected_month,
    NULL::numeric AS free_limit,
    NULL::numeric AS share,
    NULL::timestamp with time zone AS since;

COMMENT ON VIEW ops.budget IS 'Each meter against what is free: the watchdog raises budget_exceeded where share > 1.';

COMMENT ON COLUMN ops.budget.meter IS 'The meter.';

COMMENT ON COLUMN ops.budget.unit IS 'Unit of the amounts: count, bytes, s.';

COMMENT ON COLUMN ops.budget.used_today IS 'Amount since midnight UTC; of a level the newest, null if it was never taken.';

COMMENT ON COLUMN ops.budget.used_month IS 'Amount of this calendar month; of a level the newest. Null: nothing was counted.';

COMMENT ON COLUMN ops.budget.projected_month IS 'A month of 30 days at the rate of the last seven, at least what this month has used; of a level its size in 30 days. Null: counted for less than ten minutes.';

COMMENT ON COLUMN ops.budget.free_limit IS 'What is free a month, see ops.meters; null: no limit.';

COMMENT ON COLUMN ops.budget.share IS 'projected_month / free_limit; null where one is missing.';

COMMENT ON COLUMN ops.budget.since IS 'Start of what the rate is taken from, UTC.';

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
    cadence text DEFAULT 'close'::text NOT NULL,
    CONSTRAINT traders_cadence_is_close_or_every_2_to_1000_closes_or_cron CHECK (((cadence = 'close'::text) OR ops.is_cadence(cadence))),
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

COMMENT ON COLUMN public.traders.cadence IS 'At which closes it is evaluated: close (each), every N closes (2 to 1,000; multiples of N since the epoch), or a cron expression in UTC (the first close at or after each instant).';

CREATE VIEW ops.cadences WITH (security_invoker='true') AS
 WITH RECURSIVE keys AS (
        ( SELECT traders.venue,
            traders."interval",
            traders.cadence,
            traders.enabled_at AS since
           FROM public.traders
          WHERE traders.enabled
          ORDER BY traders.venue, traders."interval", traders.cadence, traders.enabled_at
         LIMIT 1)
        UNION ALL
         SELECT following.venue,
            following."interval",
            following.cadence,
            following.enabled_at
           FROM (keys keys_1
             CROSS JOIN LATERAL ( SELECT traders.venue,
                    traders."interval",
                    traders.cadence,
                    traders.enabled_at
                   FROM public.traders
                  WHERE (traders.enabled AND (ROW(traders.venue, traders."interval", traders.cadence) > ROW(keys_1.venue, keys_1."interval", keys_1.cadence)))
                  ORDER BY traders.venue, traders."interval", traders.cadence, traders.enabled_at
                 LIMIT 1) following)
        )
 SELECT keys.venue,
    keys."interval",
    keys.cadence,
    keys.since
   FROM keys;

COMMENT ON VIEW ops.cadences IS 'The distinct (venue, interval, cadence) of enabled traders: what decides which slots are owed.';

COMMENT ON COLUMN ops.cadences.venue IS 'Venue id.';

COMMENT ON COLUMN ops.cadences."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.cadences.cadence IS 'close, every N closes, or a cron expression in UTC.';

COMMENT ON COLUMN ops.cadences.since IS 'Earliest enabled_at of its traders, UTC; closes before are owed to none of them.';

ALTER TABLE ops.function_logs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.function_logs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ops.incidents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.incidents_id_seq
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

CREATE TABLE ops.log_days (
    id bigint NOT NULL,
    day date NOT NULL,
    lines_count integer DEFAULT 0 NOT NULL,
    bytes_count bigint DEFAULT 0 NOT NULL,
    sampled_count integer DEFAULT 0 NOT NULL,
    dropped_count integer DEFAULT 0 NOT NULL,
    CONSTRAINT log_days_bytes_count_is_not_negative CHECK ((bytes_count >= 0)),
    CONSTRAINT log_days_dropped_count_is_not_negative CHECK ((dropped_count >= 0)),
    CONSTRAINT log_days_lines_count_is_not_negative CHECK ((lines_count >= 0)),
    CONSTRAINT log_days_sampled_count_is_not_negative CHECK ((sampled_count >= 0))
);

COMMENT ON TABLE ops.log_days IS 'How much was logged on a day. A day has as many rows as there were writers at one moment, so that none waits for another; the sum over them is the day''s.';

COMMENT ON COLUMN ops.log_days.id IS 'Identity.';

COMMENT ON COLUMN ops.log_days.day IS 'The day the lines were stored, UTC.';

COMMENT ON COLUMN ops.log_days.lines_count IS 'Lines stored, count.';

COMMENT ON COLUMN ops.log_days.bytes_count IS 'What they take with their index entries, bytes.';

COMMENT ON COLUMN ops.log_days.sampled_count IS 'Lines left out by sampling, count.';

COMMENT ON COLUMN ops.log_days.dropped_count IS 'Lines left out because the day was full, count.';

ALTER TABLE ops.log_days ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.log_days_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ops.meters (
    meter text NOT NULL,
    unit text NOT NULL,
    is_level boolean DEFAULT false NOT NULL,
    free_limit numeric,
    description text NOT NULL,
    CONSTRAINT meters_free_limit_is_positive CHECK (((free_limit > (0)::numeric) AND (free_limit < '1000000000000000000'::numeric))),
    CONSTRAINT meters_meter_is_a_word CHECK ((meter ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT meters_unit_is_known CHECK ((unit = ANY (ARRAY['count'::text, 'bytes'::text, 's'::text])))
);

COMMENT ON TABLE ops.meters IS 'What is counted. A limit is changed by: update ops.meters set free_limit = … where meter = ….';

COMMENT ON COLUMN ops.meters.meter IS 'Word by which reporters and readers name it.';

COMMENT ON COLUMN ops.meters.unit IS 'count, bytes, s (seconds).';

COMMENT ON COLUMN ops.meters.is_level IS 'Whether its amount is a size at a moment (the newest of a day stays); else it adds up.';

COMMENT ON COLUMN ops.meters.free_limit IS 'What a month (a level: any moment) may use before it costs, in `unit`; null: nothing is free, or nothing is charged.';

COMMENT ON COLUMN ops.meters.description IS 'What counts, and whose limit it is.';

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

CREATE TABLE ops.schedule_runs (
    id bigint NOT NULL,
    schedule text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    status text NOT NULL,
    error text,
    answer jsonb,
    request_id bigint,
    http_status integer,
    http_error text,
    function_ms double precision,
    by_hand boolean DEFAULT false NOT NULL,
    pid integer DEFAULT pg_backend_pid() NOT NULL,
    CONSTRAINT schedule_runs_answer_is_bounded CHECK ((pg_column_size(answer) <= 16000)),
    CONSTRAINT schedule_runs_error_is_bounded CHECK ((length(error) <= 2000)),
    CONSTRAINT schedule_runs_failed_has_an_error CHECK (((status <> 'failed'::text) OR (error IS NOT NULL))),
    CONSTRAINT schedule_runs_function_ms_is_not_negative CHECK ((function_ms >= (0)::double precision)),
    CONSTRAINT schedule_runs_http_error_is_bounded CHECK ((length(http_error) <= 500)),
    CONSTRAINT schedule_runs_running_has_no_end CHECK (((status = 'running'::text) = (ended_at IS NULL))),
    CONSTRAINT schedule_runs_status_is_known CHECK ((status = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'skipped'::text])))
);

COMMENT ON TABLE ops.schedule_runs IS 'One row per run of a schedule, kept for log_retention_days; written by ops.run_schedule.';

COMMENT ON COLUMN ops.schedule_runs.id IS 'Identity.';

COMMENT ON COLUMN ops.schedule_runs.schedule IS 'Name of the schedule.';

COMMENT ON COLUMN ops.schedule_runs.started_at IS 'When the run began, UTC.';

COMMENT ON COLUMN ops.schedule_runs.ended_at IS 'When it ended, UTC; null: it runs, or died.';

COMMENT ON COLUMN ops.schedule_runs.status IS 'running, succeeded, failed, or skipped: paused, or the one before was still under way.';

COMMENT ON COLUMN ops.schedule_runs.error IS 'Why it failed or was skipped; null: neither.';

COMMENT ON COLUMN ops.schedule_runs.answer IS 'First row that its command returned; null: none, or one of more than 16,000 bytes.';

COMMENT ON COLUMN ops.schedule_runs.request_id IS 'Request it sent (net._http_response.id), as its command returned it; null: none.';

COMMENT ON COLUMN ops.schedule_runs.http_status IS 'HTTP status of the answer; null: none yet, or none came.';

COMMENT ON COLUMN ops.schedule_runs.http_error IS 'Why no answer came; null: none is known.';

COMMENT ON COLUMN ops.schedule_runs.function_ms IS 'Milliseconds the function says its answer took; null: it says nothing, or no answer came.';

COMMENT ON COLUMN ops.schedule_runs.by_hand IS 'Whether somebody asked for it (ops.run_now).';

COMMENT ON COLUMN ops.schedule_runs.pid IS 'Process of Postgres that runs it.';

ALTER TABLE ops.schedule_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.schedule_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW ops.schedules WITH (security_invoker='true') AS
 SELECT listed.name,
    listed.timing,
    listed.timing_text,
    listed.time_zone,
    listed.next_runs,
    listed.last_run_at,
    listed.last_status,
    listed.last_http_status,
    listed.average_ms,
    listed.fail_streak,
    listed.paused_until,
    listed.reason,
    listed.command,
    listed.description,
    listed.overlap,
    listed.last_error
   FROM ops.list_schedules() listed(name, timing, timing_text, time_zone, next_runs, last_run_at, last_status, last_http_status, average_ms, fail_streak, paused_until, reason, command, description, overlap, last_error);

COMMENT ON VIEW ops.schedules IS 'Every schedule with its next and last run; what differs from cron.job is in ops.diff().';

COMMENT ON COLUMN ops.schedules.name IS 'Name.';

COMMENT ON COLUMN ops.schedules.timing IS 'Cron expression of five fields, or "every N s".';

COMMENT ON COLUMN ops.schedules.timing_text IS 'The same in plain English.';

COMMENT ON COLUMN ops.schedules.time_zone IS 'Time zone of the timing: always UTC.';

COMMENT ON COLUMN ops.schedules.next_runs IS 'The next three runs, UTC; of a paused one, after it.';

COMMENT ON COLUMN ops.schedules.last_run_at IS 'When the newest run began, UTC; null: never.';

COMMENT ON COLUMN ops.schedules.last_status IS 'running, succeeded, failed, skipped; null: never ran.';

COMMENT ON COLUMN ops.schedules.last_http_status IS 'HTTP status of the last answer to a request of its runs; null: none is known.';

COMMENT ON COLUMN ops.schedules.average_ms IS 'Mean ms of the runs that succeeded, of the last 100; null: none did.';

COMMENT ON COLUMN ops.schedules.fail_streak IS 'Runs that failed since one succeeded, at most 100, count; skipped ones do not count.';

COMMENT ON COLUMN ops.schedules.paused_until IS 'Paused until then, UTC; null: not paused.';

COMMENT ON COLUMN ops.schedules.reason IS 'Why it is paused; null: not paused.';

COMMENT ON COLUMN ops.schedules.command IS 'SQL that a run executes.';

COMMENT ON COLUMN ops.schedules.description IS 'Why the schedule exists.';

COMMENT ON COLUMN ops.schedules.overlap IS 'What a run does that is due while the one before is under way: skip, or queue.';

COMMENT ON COLUMN ops.schedules.last_error IS 'Why the newest run failed or was skipped; null: it did not.';

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

CREATE VIEW ops.slots_missing WITH (security_invoker='true') AS
 WITH bounds AS (
         SELECT (now() - '1 day'::interval) AS after,
            (now() - make_interval(secs => ((settings.value)::integer)::double precision)) AS until
           FROM ops.settings
          WHERE (settings.name = 'watch_after_s'::text)
        ), owed AS (
         SELECT DISTINCT cadences.venue,
            cadences."interval",
            due.closed_at
           FROM ((ops.cadences
             CROSS JOIN bounds)
             CROSS JOIN LATERAL ops.due_closes(cadences.cadence, cadences."interval", GREATEST(bounds.after, (cadences.since - '00:00:00.000001'::interval)), bounds.until) due(closed_at))
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
  WHERE ((runs.finished_at IS NULL) AND (runs.opened_at > (now() - '1 day'::interval)) AND (GREATEST(runs.closed_at, runs.opened_at) < ( SELECT bounds.until
           FROM bounds)));

COMMENT ON VIEW ops.slots_missing IS 'Slots of the last day that have no run, or a run that did not finish, watch_after_s after they closed. Empty when all is well.';

COMMENT ON COLUMN ops.slots_missing.venue IS 'Venue id.';

COMMENT ON COLUMN ops.slots_missing."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.slots_missing.closed_at IS 'The slot, UTC.';

COMMENT ON COLUMN ops.slots_missing.status IS 'missing, or the status of its run.';

COMMENT ON COLUMN ops.slots_missing.run_id IS 'The run; null: there is none.';

COMMENT ON COLUMN ops.slots_missing.attempt IS 'Claims so far, count; null: no run.';

COMMENT ON COLUMN ops.slots_missing.error IS 'Text of the last failed attempt; null: none.';

CREATE VIEW ops.slot_counts WITH (security_invoker='true') AS
 WITH owed AS (
         SELECT due.venue,
            due."interval",
            slot.closed_at
           FROM (( SELECT traders.venue,
                    traders."interval",
                    make_interval(secs => (ops.interval_s(traders."interval"))::double precision) AS length,
                    min(traders.enabled_at) AS since
                   FROM public.traders
                  WHERE traders.enabled
                  GROUP BY traders.venue, traders."interval") due
             CROSS JOIN LATERAL generate_series((date_bin(due.length, now(), '1970-01-01 00:00:00+00'::timestamp with time zone) - '1 day'::interval), (now() - ( SELECT make_interval(secs => ((settings.value)::integer)::double precision) AS make_interval
                   FROM ops.settings
                  WHERE (settings.name = 'watch_after_s'::text))), due.length) slot(closed_at))
          WHERE (slot.closed_at >= due.since)
        )
 SELECT owed.venue,
    owed."interval",
    (count(*))::integer AS expected_count,
    ((count(*))::integer - (count(undone.closed_at))::integer) AS finished_count,
    (count(undone.closed_at))::integer AS missing_count
   FROM (owed
     LEFT JOIN ( SELECT DISTINCT slots_missing.venue,
            slots_missing."interval",
            slots_missing.closed_at
           FROM ops.slots_missing) undone ON (((undone.venue = owed.venue) AND (undone."interval" = owed."interval") AND (undone.closed_at = owed.closed_at))))
  GROUP BY owed.venue, owed."interval";

COMMENT ON VIEW ops.slot_counts IS 'Expected against actual: the slots owed in the last day, without those of the last watch_after_s, per venue and interval.';

COMMENT ON COLUMN ops.slot_counts.venue IS 'Venue id.';

COMMENT ON COLUMN ops.slot_counts."interval" IS 'Kline interval.';

COMMENT ON COLUMN ops.slot_counts.expected_count IS 'Slots that some trader is owed, count.';

COMMENT ON COLUMN ops.slot_counts.finished_count IS 'Those whose runs all finished, count.';

COMMENT ON COLUMN ops.slot_counts.missing_count IS 'The others: rows of ops.slots_missing, count.';

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

CREATE TABLE ops.usage (
    meter text NOT NULL,
    day date NOT NULL,
    amount numeric NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    settled_amount numeric DEFAULT 0 NOT NULL,
    CONSTRAINT usage_amount_is_not_negative CHECK (((amount >= (0)::numeric) AND (amount < '1000000000000000000'::numeric)))
);

COMMENT ON TABLE ops.usage IS 'What was used, by day (UTC) and meter; at most one row of each. Kept usage_retention_days.';

COMMENT ON COLUMN ops.usage.meter IS 'The meter.';

COMMENT ON COLUMN ops.usage.day IS 'The day it was reported, UTC: up to a minute after its use.';

COMMENT ON COLUMN ops.usage.amount IS 'The sum of the day, or the newest level, in meters.unit.';

COMMENT ON COLUMN ops.usage.first_at IS 'When the first amount of the day came, UTC.';

COMMENT ON COLUMN ops.usage.settled_at IS 'The last report in the first five minutes of the day, UTC: where a rate begins; null: first_at.';

COMMENT ON COLUMN ops.usage.settled_amount IS 'Amount at settled_at: on the first day the history a new system loads, once; in no rate.';

CREATE TABLE ops.usage_reporters (
    reporter text NOT NULL,
    totals jsonb DEFAULT '{}'::jsonb NOT NULL,
    reported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT usage_reporters_reporter_is_a_word CHECK ((reporter ~ '^[a-z][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT usage_reporters_totals_is_bounded CHECK ((pg_column_size(totals) <= 2000)),
    CONSTRAINT usage_reporters_totals_is_object CHECK ((jsonb_typeof(totals) = 'object'::text))
);

COMMENT ON TABLE ops.usage_reporters IS 'How far each process is counted. It reports what it used since its start; the difference to what is here is added, so that a report that is lost, repeated or late does no harm.';

COMMENT ON COLUMN ops.usage_reporters.reporter IS 'The process: its part and a random word.';

COMMENT ON COLUMN ops.usage_reporters.totals IS 'Meter → amount since the start of the process.';

COMMENT ON COLUMN ops.usage_reporters.reported_at IS 'When it reported last, UTC.';

CREATE TABLE ops.watch_state (
    is_only boolean NOT NULL,
    watched_at timestamp with time zone NOT NULL,
    scheduled_at timestamp with time zone NOT NULL,
    late_since timestamp with time zone,
    oldest_request_id bigint,
    oldest_request_since timestamp with time zone,
    pinged_at timestamp with time zone,
    CONSTRAINT watch_state_has_one_row CHECK (is_only),
    CONSTRAINT watch_state_request_has_a_start CHECK (((oldest_request_id IS NULL) = (oldest_request_since IS NULL)))
);

COMMENT ON TABLE ops.watch_state IS 'What ops.watch remembers between two looks; one row.';

COMMENT ON COLUMN ops.watch_state.is_only IS 'Always true: there is one row.';

COMMENT ON COLUMN ops.watch_state.watched_at IS 'The last look by anybody, UTC.';

COMMENT ON COLUMN ops.watch_state.scheduled_at IS 'The last look by the schedule watch, UTC.';

COMMENT ON COLUMN ops.watch_state.late_since IS 'When somebody noticed that the schedule has not looked for cron_silent_after_s, UTC; null: it is on time.';

COMMENT ON COLUMN ops.watch_state.oldest_request_id IS 'Oldest row of net.http_request_queue at the last look; null: it was empty.';

COMMENT ON COLUMN ops.watch_state.oldest_request_since IS 'Since when that row has been the oldest (the queue keeps no times), UTC; null: no row.';

COMMENT ON COLUMN ops.watch_state.pinged_at IS 'When deadman_url was pinged last, UTC; null: never.';

CREATE VIEW public.feed_status AS
 SELECT newest.venue,
    newest."interval",
    newest.feed,
    newest.closed_at,
    newest.finished_at,
    newest.complete,
    newest.missing_count,
    newest.frame_revision,
    (EXISTS ( SELECT
           FROM public.traders
          WHERE ((traders.venue = newest.venue) AND (traders."interval" = newest."interval") AND (traders.cadence = 'close'::text) AND traders.enabled))) AS is_each_close,
    ((EXISTS ( SELECT
           FROM ops.settings
          WHERE ((settings.name = 'signals_enabled'::text) AND (settings.value = 'off'::text)))) OR (EXISTS ( SELECT
           FROM ops.timetable
          WHERE ((timetable.name = 'tick'::text) AND (timetable.paused_until > now()))))) AS is_paused
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

COMMENT ON COLUMN public.feed_status.is_each_close IS 'Whether some trader is due at each close; if not, a close may be old because nobody was due.';

COMMENT ON COLUMN public.feed_status.is_paused IS 'Whether an operator holds evaluation back: kill switch off, or tick paused. The same in each row; closes come late then.';

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
    cadence text DEFAULT 'close'::text NOT NULL,
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

COMMENT ON COLUMN public.trader_versions.cadence IS 'At which closes it was evaluated.';

ALTER TABLE public.traders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.traders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY ops.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.function_logs
    ADD CONSTRAINT function_logs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.local_secrets
    ADD CONSTRAINT local_secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.log_days
    ADD CONSTRAINT log_days_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.meters
    ADD CONSTRAINT meters_pkey PRIMARY KEY (meter);

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

ALTER TABLE ONLY ops.schedule_runs
    ADD CONSTRAINT schedule_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ops.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.timetable
    ADD CONSTRAINT timetable_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ops.traders_revision
    ADD CONSTRAINT traders_revision_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY ops.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (meter, day);

ALTER TABLE ONLY ops.usage_reporters
    ADD CONSTRAINT usage_reporters_pkey PRIMARY KEY (reporter);

ALTER TABLE ONLY ops.watch_state
    ADD CONSTRAINT watch_state_pkey PRIMARY KEY (is_only);

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

CREATE INDEX audit_object_idx ON ops.audit USING btree (object, at DESC);

CREATE UNIQUE INDEX function_logs_line_is_stored_once_idx ON ops.function_logs USING btree (line_key) WHERE (line_key IS NOT NULL);

CREATE INDEX function_logs_logged_at_idx ON ops.function_logs USING btree (logged_at);

CREATE INDEX function_logs_problems_idx ON ops.function_logs USING btree (logged_at) WHERE (level = ANY (ARRAY['warn'::text, 'error'::text]));

CREATE INDEX function_logs_run_id_idx ON ops.function_logs USING btree (run_id) WHERE (run_id IS NOT NULL);

CREATE INDEX function_logs_source_logged_at_idx ON ops.function_logs USING btree (source, logged_at);

CREATE INDEX function_logs_symbol_idx ON ops.function_logs USING btree (symbol, logged_at) WHERE (symbol IS NOT NULL);

CREATE INDEX function_logs_trader_id_idx ON ops.function_logs USING btree (trader_id, logged_at) WHERE (trader_id IS NOT NULL);

CREATE INDEX incidents_closed_at_idx ON ops.incidents USING btree (closed_at) WHERE (closed_at IS NOT NULL);

CREATE UNIQUE INDEX incidents_open_once_idx ON ops.incidents USING btree (kind, subject) WHERE (closed_at IS NULL);

CREATE INDEX log_days_day_idx ON ops.log_days USING btree (day);

CREATE INDEX outbox_due_idx ON ops.outbox USING btree (next_attempt_at) WHERE (status = 'pending'::text);

CREATE INDEX run_errors_created_at_idx ON ops.run_errors USING btree (created_at);

CREATE INDEX run_errors_trader_id_idx ON ops.run_errors USING btree (trader_id, id DESC);

CREATE INDEX runs_trader_id_idx ON ops.runs USING btree (trader_id) WHERE (trader_id IS NOT NULL);

CREATE INDEX runs_unfinished_idx ON ops.runs USING btree (closed_at) WHERE ((status = ANY (ARRAY['open'::text, 'claimed'::text])) OR (NOT complete));

CREATE INDEX runs_venue_interval_closed_at_idx ON ops.runs USING btree (venue, "interval", closed_at DESC);

CREATE INDEX schedule_runs_newest_idx ON ops.schedule_runs USING btree (schedule, started_at DESC);

CREATE INDEX schedule_runs_not_skipped_idx ON ops.schedule_runs USING btree (schedule, started_at DESC) WHERE (status <> 'skipped'::text);

CREATE INDEX schedule_runs_request_id_idx ON ops.schedule_runs USING btree (schedule, started_at DESC) WHERE (request_id IS NOT NULL);

CREATE INDEX schedule_runs_running_idx ON ops.schedule_runs USING btree (schedule) WHERE (status = 'running'::text);

CREATE INDEX usage_reporters_reported_at_idx ON ops.usage_reporters USING btree (reported_at);

CREATE INDEX profiles_tier_id_idx ON public.profiles USING btree (tier_id);

CREATE INDEX signal_overflows_closed_at_idx ON public.signal_overflows USING btree (closed_at);

CREATE INDEX signal_overflows_user_id_closed_at_idx ON public.signal_overflows USING btree (user_id, closed_at DESC);

CREATE INDEX signals_trader_id_closed_at_idx ON public.signals USING btree (trader_id, closed_at DESC);

CREATE INDEX signals_user_id_id_idx ON public.signals USING btree (user_id, id DESC);

CREATE INDEX traders_enabled_cadence_idx ON public.traders USING btree (venue, "interval", cadence, enabled_at) WHERE enabled;

CREATE INDEX traders_enabled_venue_interval_idx ON public.traders USING btree (venue, "interval", id) INCLUDE (enabled_at) WHERE enabled;

CREATE INDEX traders_failing_idx ON public.traders USING btree (venue, "interval") WHERE (error_count > 0);

CREATE INDEX traders_user_id_created_at_idx ON public.traders USING btree (user_id, created_at, id);

CREATE OR REPLACE VIEW ops.budget WITH (security_invoker='true') AS
 WITH clock AS (
         SELECT now() AS at,
            ((now() AT TIME ZONE 'UTC'::text))::date AS today
        ), used AS (
         SELECT meters.meter,
            meters.unit,
            meters.is_level,
            meters.free_limit,
            min(usage.first_at) FILTER (WHERE (usage.day > (clock.today - 7))) AS since,
            sum(usage.amount) FILTER (WHERE (usage.day > (clock.today - 7))) AS used_in_week,
            sum(usage.amount) FILTER (WHERE (usage.day >= date_trunc('month'::text, (clock.today)::timestamp with time zone))) AS used_month,
            COALESCE(sum(usage.amount) FILTER (WHERE (usage.day = clock.today)), (0)::numeric) AS used_today,
            (array_agg(usage.amount ORDER BY usage.day DESC))[1] AS newest,
            max(usage.day) AS newest_day,
            (array_agg(usage.amount ORDER BY usage.day) FILTER (WHERE (usage.day > (clock.today - 7))))[1] AS oldest,
            (array_agg(COALESCE(usage.settled_at, usage.first_at) ORDER BY usage.day) FILTER (WHERE (usage.day > (clock.today - 7))))[1] AS settled_at,
            (array_agg(usage.settled_amount ORDER BY usage.day) FILTER (WHERE (usage.day > (clock.today - 7))))[1] AS settled_amount,
            min(usage.day) FILTER (WHERE (usage.day > (clock.today - 7))) AS oldest_day,
            clock.at
           FROM ((ops.meters
             CROSS JOIN clock)
             LEFT JOIN ops.usage ON (((usage.meter = meters.meter) AND (usage.day <= clock.today))))
          GROUP BY meters.meter, clock.at
        ), projected AS (
         SELECT used.meter,
            used.unit,
            used.is_level,
            used.free_limit,
            used.since,
            used.used_in_week,
            used.used_month,
            used.used_today,
            used.newest,
            used.newest_day,
            used.oldest,
            used.settled_at,
            used.settled_amount,
            used.oldest_day,
            used.at,
                CASE
                    WHEN used.is_level THEN (used.newest + (((30)::numeric * GREATEST((used.newest - used.oldest), (0)::numeric)) / (NULLIF(GREATEST((used.newest_day - used.oldest_day), 1), 0))::numeric))
                    WHEN (((used.at - used.since) >= '00:10:00'::interval) AND (used.at > used.settled_at)) THEN GREATEST(used.used_month, ((((used.used_in_week - used.settled_amount) * (30)::numeric) * (86400)::numeric) / EXTRACT(epoch FROM (used.at - used.settled_at))))
                    ELSE NULL::numeric
                END AS projected_month
           FROM used
        )
 SELECT projected.meter,
    projected.unit,
        CASE
            WHEN projected.is_level THEN projected.newest
            ELSE projected.used_today
        END AS used_today,
        CASE
            WHEN projected.is_level THEN projected.newest
            ELSE projected.used_month
        END AS used_month,
    projected.projected_month,
    projected.free_limit,
    (projected.projected_month / projected.free_limit) AS share,
    projected.since
   FROM projected;

CREATE TRIGGER failure_is_logged_at_insert AFTER INSERT ON ops.schedule_runs FOR EACH ROW WHEN ((new.status = 'failed'::text)) EXECUTE FUNCTION ops.log_schedule_failure();

CREATE TRIGGER failure_is_logged_at_update AFTER UPDATE OF status ON ops.schedule_runs FOR EACH ROW WHEN (((new.status = 'failed'::text) AND (old.status IS DISTINCT FROM 'failed'::text))) EXECUTE FUNCTION ops.log_schedule_failure();

CREATE TRIGGER lines_are_noted AFTER INSERT ON ops.function_logs REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION ops.note_lines();

CREATE TRIGGER settings_changes_are_recorded AFTER INSERT OR DELETE OR UPDATE ON ops.settings FOR EACH ROW EXECUTE FUNCTION ops.record_change();

CREATE TRIGGER timetable_changes_are_recorded AFTER INSERT OR DELETE OR UPDATE ON ops.timetable FOR EACH ROW EXECUTE FUNCTION ops.record_change();

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

ALTER TABLE ONLY ops.usage
    ADD CONSTRAINT usage_meter_fkey FOREIGN KEY (meter) REFERENCES ops.meters(meter) ON DELETE CASCADE;

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

ALTER TABLE ops.audit ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.backups ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.function_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.incidents ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.local_secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.log_days ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.meters ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.outbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.run_errors ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.schedule_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.timetable ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.traders_revision ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.usage ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.usage_reporters ENABLE ROW LEVEL SECURITY;

ALTER TABLE ops.watch_state ENABLE ROW LEVEL SECURITY;

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

REVOKE ALL ON FUNCTION ops.acknowledge_incident(id bigint, note text, who text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.add_note(notes text, who text, note text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.add_restored_users(users jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.apply(page jsonb, dry_run boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.is_symbol(symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.is_symbol(symbol text) TO authenticated;
GRANT ALL ON FUNCTION ops.is_symbol(symbol text) TO service_role;

REVOKE ALL ON FUNCTION ops.are_symbols(symbols text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.are_symbols(symbols text[]) TO authenticated;
GRANT ALL ON FUNCTION ops.are_symbols(symbols text[]) TO service_role;

REVOKE ALL ON FUNCTION ops.backup_manifest() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.before_bars(cadence text, "interval" text, closed_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.begin_run(name text, by_hand boolean, is_patient boolean, OUT run_id bigint, OUT is_waiting boolean, OUT command text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.broadcast_signals() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.bump_traders_revision() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.bump_traders_revision_if_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cadence_count(cadence text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.call_function(name text, body jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_command(command text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_outcome(outcome jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_page(page jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_trader_fields(trader jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_trader_quota(user_id uuid, is_inserted boolean, is_enabled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.check_usage(reports jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.close_dead_runs() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.close_incident(id bigint, note text, who text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.close_quiet_incidents() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.count_lines(stored integer, bytes bigint, sampled integer, dropped integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.count_usage() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.create_profile() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cron_field(field text, name text, low integer, high integer, words text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cron_instants(expression text, after timestamp with time zone, until timestamp with time zone, rows_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cron_jobs() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cron_matches(expression text, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.cron_started_at() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.diff(page jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.due_closes(cadence text, "interval" text, after timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.end_run(run_id bigint, error text, answer jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.enforce_tier_quota() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.even_step(numbers integer[], size integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.every_s(timing text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_backup_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_budget_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_cron_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_feed_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_outbox_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_request_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_schedule_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_slot(INOUT run_id bigint, INOUT venue text, INOUT "interval" text, INOUT closed_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.find_slot_causes() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.finish_restore(manifest jsonb, kept jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.from_ms(instant_ms bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.guard_trader() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.has_due_trader(venue text, "interval" text, closed_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.history(name text, row_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.http_answer(request_id bigint, OUT http_status integer, OUT http_error text, OUT function_ms double precision) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.interval_s("interval" text) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.interval_s("interval" text) TO authenticated;
GRANT ALL ON FUNCTION ops.interval_s("interval" text) TO service_role;

REVOKE ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) TO authenticated;
GRANT ALL ON FUNCTION ops.is_close("interval" text, instant timestamp with time zone) TO service_role;

REVOKE ALL ON FUNCTION ops.insert_signals(run ops.runs, outcome jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.is_alive(pid integer, started_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.is_cadence(cadence text) FROM PUBLIC;
GRANT ALL ON FUNCTION ops.is_cadence(cadence text) TO authenticated;
GRANT ALL ON FUNCTION ops.is_cadence(cadence text) TO service_role;

REVOKE ALL ON FUNCTION ops.is_due(cadence text, "interval" text, closed_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.is_operator() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.keep_http_answers(schedule text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.keep_trader_version() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.line_bytes(fields jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_backup_tables() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_claimable_runs(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_due_cadences(venue text, "interval" text, closed_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_log_days() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_log_sources() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_numbers(numbers integer[], words text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_schedules() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_slots("interval" text, since timestamp with time zone, only_unwell boolean, slots_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_traders(venue text, "interval" text, shard integer, shard_count integer, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.list_usage(reports jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.lock_claimed_run(run_id bigint, claim_token uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.lock_open_incident(id bigint, note text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.lock_schedule(name text) FROM PUBLIC;

GRANT SELECT ON TABLE public.tiers TO authenticated;
GRANT SELECT ON TABLE public.tiers TO service_role;

REVOKE ALL ON FUNCTION ops.lock_tier(user_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.log_position(recent_max integer, OUT seen_before bigint, OUT next_transaction bigint, OUT newest_line bigint, OUT newest_error bigint, OUT recent_lines bigint[], OUT recent_errors bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.log_room(OUT lines_count bigint, OUT bytes_count bigint, OUT lines_max integer, OUT bytes_max bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.log_schedule_failure() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.log_sources() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.next_runs(timing text, after timestamp with time zone, runs_count integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.note_full_day(dropped integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.note_lines() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.note_look(is_scheduled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_due_slots(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_runs(venue text, "interval" text, closed_ats timestamp with time zone[], opened_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.open_trader_run(venue text, "interval" text, closed_at timestamp with time zone, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.parse_cron(expression text, OUT minutes integer[], OUT hours integer[], OUT days integer[], OUT months integer[], OUT weekdays integer[], OUT is_either boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.pause(name text, until timestamp with time zone, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.ping_deadman() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.prepare_restore(schema_versions text[], replace boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.raise_incident(kind text, subject text, severity text, message text, details jsonb, quiet_s integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.read_logs(wanted jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.record_act(action text, object text, before jsonb, after jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.record_backup(made_at timestamp with time zone, target text, bytes bigint, counts jsonb, checksum text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.record_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.refuse_empty_write() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.refuse_unknown_schedule(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.rescue_runs(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.resume(name text) FROM PUBLIC;

REVOKE ALL ON PROCEDURE ops.run_now(IN name text, INOUT answer jsonb) FROM PUBLIC;

REVOKE ALL ON PROCEDURE ops.run_schedule(IN name text, IN by_hand boolean, INOUT answer jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.schema_versions() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.secret(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.setting(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.slot_story(venue text, "interval" text, closed_at timestamp with time zone, lines_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.status() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.status_feeds() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.status_traders() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.store_secret(name text, value text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.store_trader_errors(run ops.runs, errors jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.table_checksum(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.tick(at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.timing_text(timing text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.to_ms(instant timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON PROCEDURE ops."trim"(IN batches_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.trim_batch(rows_max integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.unwrap_json(document jsonb, field text, kind text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.wanted_job(name text, timing text, OUT schedule text, OUT command text) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.watch(is_scheduled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.watch_if_late() FROM PUBLIC;

REVOKE ALL ON FUNCTION ops.write_log(level text, event text, fields jsonb, run_id bigint, trader_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.acknowledge_incident(id bigint, note text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.acknowledge_incident(id bigint, note text) TO authenticated;

REVOKE ALL ON FUNCTION public.add_usage(rows jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.add_usage(rows jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_run(run_id bigint, claimed_by text, known_traders_revision bigint) TO service_role;

REVOKE ALL ON FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fail_run(run_id bigint, claim_token uuid, error text) TO service_role;

REVOKE ALL ON FUNCTION public.list_incidents() FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_incidents() TO authenticated;

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
