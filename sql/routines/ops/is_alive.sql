create or replace function ops.is_alive(pid integer, started_at timestamptz)
returns boolean
language sql
stable
set search_path = ''
as $$
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
comment on function ops.is_alive(integer, timestamptz) is
    'Whether the process that began a run at an instant is still at it.';
revoke all on function ops.is_alive(integer, timestamptz) from public, anon, authenticated;
