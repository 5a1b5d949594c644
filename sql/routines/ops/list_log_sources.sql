create or replace function ops.list_log_sources()
returns table (
    source text,
    lines_count bigint,
    problems_count bigint,
    last_at timestamptz,
    last_problem_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
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
comment on function ops.list_log_sources() is
    'Every source of log lines with its count of lines and of warnings and errors.';
revoke all on function ops.list_log_sources() from public, anon, authenticated;
