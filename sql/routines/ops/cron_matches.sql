create or replace function ops.cron_matches(expression text, at timestamptz)
returns boolean
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
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
comment on function ops.cron_matches(text, timestamptz) is
    'Whether a cron expression (UTC) names the minute of an instant, or PT400.';
revoke all on function ops.cron_matches(text, timestamptz) from public, anon, authenticated;
