create or replace function ops.list_log_days()
returns table (
    day date,
    lines_count bigint,
    bytes_count bigint,
    sampled_count bigint,
    dropped_count bigint,
    share float8
)
language sql
stable
security definer
set search_path = ''
as $$
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
comment on function ops.list_log_days() is
    'Each day''s log lines, their bytes, what was left out, and the share of the day''s room.';
revoke all on function ops.list_log_days() from public, anon, authenticated;
