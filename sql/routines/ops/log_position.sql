create or replace function ops.log_position(
    recent_max integer default 0,
    out seen_before bigint,
    out next_transaction bigint,
    out newest_line bigint,
    out newest_error bigint,
    out recent_lines bigint[],
    out recent_errors bigint[]
)
language sql
stable
security definer
set search_path = ''
as $$
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
comment on function ops.log_position(integer) is
    'Newest ids of the log and the transactions that may still add older ones, in one snapshot.';
revoke all on function ops.log_position(integer) from public, anon, authenticated;
