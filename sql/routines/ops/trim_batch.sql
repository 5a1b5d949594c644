create or replace function ops.trim_batch(rows_max integer default 5000)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
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
$$;
comment on function ops.trim_batch(integer) is
    'Delete one batch past retention from each table; returns the rows deleted, count.';
revoke all on function ops.trim_batch(integer) from public, anon, authenticated;
