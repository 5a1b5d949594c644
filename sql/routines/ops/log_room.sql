create or replace function ops.log_room(
    out lines_count bigint, out bytes_count bigint, out lines_max integer, out bytes_max bigint
)
language sql
stable
security definer
set search_path = ''
as $$
    -- What today's lines take, and what they may.
    select
        coalesce(sum(log_days.lines_count), 0)::bigint,
        coalesce(sum(log_days.bytes_count), 0)::bigint,
        ops.setting('log_rows_per_day_max')::integer,
        ops.setting('log_megabytes_per_day_max')::bigint * 1000000
    from ops.log_days
    where log_days.day = (clock_timestamp() at time zone 'UTC')::date;
$$;
comment on function ops.log_room() is
    'Log lines of today and their bytes, and how many of each there may be.';
revoke all on function ops.log_room() from public, anon, authenticated;
