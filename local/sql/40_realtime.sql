-- Schema realtime: broadcast from the database, the part of Supabase Realtime that Closebell uses.
-- The server is local/realtime. Idempotent; nothing happens where the real service has migrated.
-- Source of the contract: https://supabase.com/docs/guides/realtime/broadcast (checked 2026-11-21).

do $stand_in$
begin
    if to_regclass('realtime.schema_migrations') is not null then
        return;
    end if;

    create schema if not exists realtime;
    grant usage on schema realtime to anon, authenticated, service_role;

    -- Times are without zone and in UTC, as in the original; the default says so explicitly.
    create table if not exists realtime.messages (
        topic text not null,
        extension text not null,
        payload jsonb,
        event text,
        private boolean default false,
        updated_at timestamp not null default (now() at time zone 'utc'),
        inserted_at timestamp not null default (now() at time zone 'utc'),
        id uuid not null default gen_random_uuid(),
        primary key (id, inserted_at)
    ) partition by range (inserted_at);
    comment on table realtime.messages is
        'Messages to broadcast, one partition a day (UTC); also probed to authorise a private join.';
    create index if not exists messages_inserted_at_topic_index
        on realtime.messages (inserted_at desc, topic);
    alter table realtime.messages enable row level security;
    grant select, insert, update on realtime.messages to anon, authenticated, service_role;

    create or replace function realtime.topic() returns text
    language sql
    stable
    as $body$
        select nullif(pg_catalog.current_setting('realtime.topic', true), '');
    $body$;

    create or replace function realtime.send(
        payload jsonb, event text, topic text, private boolean default true
    )
    returns void
    language plpgsql
    as $body$
    declare
        message_id uuid := gen_random_uuid();
    begin
        perform set_config('realtime.topic', topic, true);
        insert into realtime.messages (id, payload, event, topic, private, extension)
        values (
            message_id,
            case when payload ? 'id' then payload
                else payload || jsonb_build_object('id', message_id) end,
            event, topic, private, 'broadcast'
        );
    exception
        -- A message that cannot be stored (a missing partition, say) never breaks the caller.
        when others then
            raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
    end
    $body$;

    -- The original reads the log of the database. Here a notification at commit names the time of
    -- what is new: inserted_at is when the transaction began, and a long one commits rows that
    -- are older than what others have read meanwhile.
    create or replace function realtime._wake() returns trigger
    language plpgsql
    as $body$
    begin
        perform pg_catalog.pg_notify(
            'realtime_messages', to_char(inserted.inserted_at, 'YYYY-MM-DD"T"HH24:MI:SS.US')
        )
        from inserted
        group by inserted.inserted_at;
        return null;
    end
    $body$;
    create or replace trigger messages_wake_server
        after insert on realtime.messages
        referencing new table as inserted
        for each statement execute function realtime._wake();

    -- What the server reads, oldest first: messages from a time on and those of the older times
    -- it was notified of, without what it has sent.
    create or replace function realtime._read_messages(
        since timestamp, late timestamp[], sent uuid[], rows_max int
    )
    returns table (
        id uuid, topic text, event text, payload text, private boolean, inserted_at timestamp
    )
    language sql
    stable
    set search_path = ''
    as $body$
        select
            message.id, message.topic, message.event, message.payload::text, message.private,
            message.inserted_at
        from realtime.messages as message
        where (message.inserted_at >= since or message.inserted_at = any (late))
            and message.id <> all (sent)
            and message.extension = 'broadcast'
            and message.event is not null
            and message.payload is not null
        order by message.inserted_at
        limit rows_max;
    $body$;

    -- Whether row level security lets this role and these claims read messages of the topic:
    -- a probe row is written, looked for as that user, and rolled back with the user's settings.
    create or replace function realtime._may_read(topic text, role text, claims jsonb)
    returns boolean
    language plpgsql
    as $body$
    declare
        probe_id uuid := gen_random_uuid();
        is_visible boolean := false;
    begin
        begin
            insert into realtime.messages (id, topic, extension)
            values (probe_id, $1, 'broadcast');
            perform
                set_config('realtime.topic', $1, true),
                set_config('request.jwt.claims', $3::text, true),
                set_config('request.jwt.claim.sub', coalesce($3 ->> 'sub', ''), true),
                set_config('request.jwt.claim.role', $2, true),
                set_config('role', $2, true);
            select true
            into is_visible
            from realtime.messages as message
            where message.id = probe_id;
            raise exception using errcode = 'RB000';
        exception
            when sqlstate 'RB000' then
                null;
        end;
        return coalesce(is_visible, false);
    end
    $body$;
    revoke all on function realtime._read_messages(timestamp, timestamp[], uuid[], int) from public;
    revoke all on function realtime._may_read(text, text, jsonb) from public;

    -- The real service makes partitions ahead and drops those of more than three days ago.
    create or replace function realtime.maintain_partitions(days_ahead int default 3)
    returns void
    language plpgsql
    security definer
    set search_path = ''
    as $body$
    declare
        today date := (now() at time zone 'utc')::date;
        day date;
        partition_name text;
        old_partition regclass;
    begin
        -- Two callers at once (start-up and the server's hourly round) must not collide.
        perform pg_advisory_xact_lock(hashtext('realtime.maintain_partitions'));
        for day in
            select generate_series(today - 1, today + days_ahead, interval '1 day')::date
        loop
            partition_name := 'messages_' || to_char(day, 'YYYY_MM_DD');
            if to_regclass('realtime.' || partition_name) is null then
                execute format(
                    'create table realtime.%I partition of realtime.messages '
                    'for values from (%L) to (%L)',
                    partition_name, day, day + 1
                );
                -- A row read through the partition itself obeys no policy of the parent.
                execute format('alter table realtime.%I enable row level security', partition_name);
            end if;
        end loop;
        for old_partition in
            select child.oid::regclass
            from pg_catalog.pg_inherits as link
            inner join pg_catalog.pg_class as child on child.oid = link.inhrelid
            where link.inhparent = 'realtime.messages'::regclass
                and child.relname ~ '^messages_\d{4}_\d{2}_\d{2}$'
                and to_date(right(child.relname, 10), 'YYYY_MM_DD') < today - 3
        loop
            execute format('drop table %s', old_partition);
        end loop;
    end
    $body$;
    revoke all on function realtime.maintain_partitions(int) from public;
    grant execute on function realtime.topic(), realtime.send(jsonb, text, text, boolean)
        to anon, authenticated, service_role;

    perform realtime.maintain_partitions();
end
$stand_in$;
