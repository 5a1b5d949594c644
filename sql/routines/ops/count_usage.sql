create or replace function ops.count_usage()
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
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
$$;
comment on function ops.count_usage() is
    'Scheduled every ten minutes: count rows written, size and messages; trim what is old.';
revoke all on function ops.count_usage() from public, anon, authenticated;
